-- The first schema, of November 2026: without an application_id.
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO grdb_migrations VALUES ('1 instances');
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
) STRICT;
CREATE TABLE trial (id INTEGER PRIMARY KEY, time INTEGER) STRICT;
INSERT INTO instance VALUES (1, '087fd551-b82c-5769-bb6d-098fac8b0454', 'orders', '2001:db8::1', 80, 'tcp', NULL, NULL,
    100, 0, 30, 5, 0, 1795770743293);
INSERT INTO instance VALUES (2, 'own', 'web', '10.0.0.2', 8443, 'udp', '["blue","v2"]',
    '{"zone":"a \"b\"","empty":""}', 7, 1, 0, 9, 1, 1795770743327);
