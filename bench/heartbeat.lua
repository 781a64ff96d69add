-- wrk: PUT heartbeats of instances that exist, in turn. Their ids are those of zone.py: svcNNNN-0 to svcNNNN-3.
--     wrk -s heartbeat.lua URL -- INSTANCES [TOKEN]

local number = 0
local instances = 1

function init(arguments)
    instances = tonumber(arguments[1])
    wrk.method = "PUT"
    if arguments[2] then wrk.headers["Authorization"] = "Bearer " .. arguments[2] end
end

function request()
    number = (number + 1) % instances
    return wrk.format(nil, string.format("/api/v1/services/svc%04d-%d/heartbeat", math.floor(number / 4), number % 4))
end
