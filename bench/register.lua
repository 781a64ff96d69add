-- wrk: POST single registrations, each a new instance; 25,000 service names take them in turn.
--     wrk -s register.lua URL -- FIRST [TOKEN]      (FIRST: the number of the first instance)

local number = 0

function init(arguments)
    number = tonumber(arguments[1]) or 0
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    if arguments[2] then wrk.headers["Authorization"] = "Bearer " .. arguments[2] end
end

function request()
    number = number + 1
    local body = string.format(
        '{"name":"reg%05d","ip":"10.%d.%d.%d","port":8080,"ttl":3600}',
        number % 25000, math.floor(number / 65536) % 256, math.floor(number / 256) % 256, number % 256)
    return wrk.format(nil, "/api/v1/services", nil, body)
end
