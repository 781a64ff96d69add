-- The third one: instances have checks, and results of checks.
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
PRAGMA application_id = 1801742707;
INSERT INTO grdb_migrations VALUES ('1 instances');
INSERT INTO grdb_migrations VALUES ('2 origins of ids');
INSERT INTO grdb_migrations VALUES ('3 checks');
CREATE TABLE instance (
    sequence INTEGER PRIMARY KEY NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    ip TEXT NOT NULL,
    port INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    tags TEXT,
    metadata TEXT,
    weight INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    dns_ttl INTEGER NOT NULL,
    draining INTEGER NOT NULL,
    registered_at_milliseconds INTEGER NOT NULL
, id_origin TEXT, checks TEXT, results TEXT) STRICT;
CREATE TABLE trial (id INTEGER PRIMARY KEY, time INTEGER) STRICT;
INSERT INTO instance VALUES (1, '087fd551-b82c-5769-bb6d-098fac8b0454', 'orders', '2001:db8::1', 80, 'tcp', NULL, NULL,
    100, 0, 30, 5, 0, 1795770743293, 'derived',
    '[{"name":"alive","type":"ttl","interval":"10s","timeout":"2s","rise":2,"fall":3,"initial":"passing","ttl":"1h"}]',
    '[{"name":"alive","status":"warning","since_milliseconds":1795770743387,"output":"slow"}]');
INSERT INTO instance VALUES (2, 'own', 'web', '10.0.0.2', 8443, 'udp', '["blue","v2"]',
    '{"zone":"a \"b\"","empty":""}', 7, 1, 0, 9, 1, 1795770743327, 'given', NULL, NULL);
