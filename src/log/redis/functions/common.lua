-- The log's share inside Redis. The files of this folder are one library. VERSION is
-- replaced by a hash of them, so that gateways of two versions live side by side on one Redis.
--
-- One partition = one hash tag; KEYS[1] is its base B, `<prefix>:{p0}`, and all its keys begin with it:
--
--   B:m            hash    format, partitions, birth, run, start, tag, last, horizon, age, opened, hole, lineage
--   B:x            list    closed epochs, oldest first: "start end tag"
--   B:a            zset    gateway -> ms of its last sign of life in this epoch
--   B:w            hash    gateway that is awaited as a witness -> "end tag" of the epoch it knows more of
--   B:o            list    holes of the whole partition, oldest first: "order tag end of-tag"
--   B:n            hash    channel -> orders of the holes in its stream
--   B:r:<end>:<tag>  zset  channel -> order of the hole that was told for that epoch's end
--   B:h            zset    channel -> order of its newest entry (outlives the stream)
--   B:s:<channel>  stream  id <ms>-<n>, one field v = prev US name US sender US data, or
--                          prev US reason with the field e for the end,
--                          prev US end US of-tag with the field o for a hole
--   B:c            hash    channel -> "order tag prev reason" where it is closed
--   B:d            hash    channel -> order up to which it was deleted
--   B:k:<key>      string  idempotency: "fingerprint time order tag", order 0 for an ephemeral event
--   B:f:<channel>  string  the greatest fence that was given on the channel
--   B:p:<producer> string  last batch of a gateway: "number US answer"
--   B:y            zset    gateway -> until when its report counts, see nodes.lua
--   B:e:<channel>  sharded Pub/Sub: it stays on the partition's node in a cluster, and works without one
--
-- Orders are ms * 4096 + counter: exact in a double, so they are written with %.0f and never with
-- tostring, which rounds to 14 digits.
--
-- Lua does not roll back: each operation is checked completely before its first write.

local COUNTERS = 4096
-- US parts fields, RS parts records: valid JSON holds neither, names and senders are escaped before.
local US, RS = '\31', '\30'
local KEY_TTL = 300
-- FENCE_TTL_MS in fences.ts.
local FENCE_TTL = 86400
local PRODUCER_TTL = 60
-- Tags of processes, 18 bits; the partition's number stands above them.
local PROCESS_TAGS = 262144
-- Heads forgotten per call, so that no append pays for many.
local PRUNE = 32
local MAX_EPOCHS = 1024
-- Arguments of one command: Lua's stack holds some 8000.
local MANY = 1000

local run, tag
-- Base -> newest order that was seen there, for as long as this library stays loaded. A server that
-- becomes a replica gets its functions anew with its data.
local written = {}

-- The process that executes: INFO costs 4-9 us, so it is asked once in the life of the library.
local function identify()
  if run == nil then
    run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
    tag = math.floor(tonumber(string.sub(run, 1, 5), 16) / 4)
  end
end

-- Another one after each time that the server was a replica.
local function lineage()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
end

local function text(order) return string.format('%.0f', order) end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function id(order, of)
  local ms = math.floor(order / COUNTERS)
  return string.format('%.0f-%.0f', ms, of * COUNTERS + (order - ms * COUNTERS))
end

local function order_of(stream_id)
  local ms, n = string.match(stream_id, '^(%d+)-(%d+)$')
  return tonumber(ms) * COUNTERS + tonumber(n) % COUNTERS
end

local function load_meta(base)
  local m = redis.call('HMGET', base .. ':m',
    'run', 'start', 'tag', 'last', 'birth', 'horizon', 'age', 'partitions', 'format', 'opened', 'hole',
    'lineage')
  if not m[1] then return nil end
  return {
    run = m[1], start = tonumber(m[2]), tag = tonumber(m[3]), last = tonumber(m[4]),
    birth = tonumber(m[5]), horizon = tonumber(m[6]), age = tonumber(m[7]),
    partitions = tonumber(m[8]), format = tonumber(m[9]), opened = tonumber(m[10] or '0'),
    hole = tonumber(m[11] or '0'), lineage = m[12],
  }
end

-- Order of the newest entry in a stream, as text; '0' where there is none, or no stream.
local function newest_in(stream)
  local newest = redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return newest and text(order_of(newest[1])) or '0'
end

local READ_ONLY = { 'no-writes' }
local function register(name, callback, flags)
  redis.register_function({
    function_name = 'sluice_' .. name .. '_VERSION', callback = callback, flags = flags,
  })
end

-- What every reading answer begins with: how the partition stands.
local function standing(base)
  local meta = load_meta(base)
  if meta == nil then return nil end
  return { text(meta.last), text(meta.start), text(meta.tag), text(meta.birth),
    text(meta.horizon), text(meta.hole) }, meta
end

local function missing() return redis.error_reply('SLUICEEMPTY no log here') end
