-- Gives each line the log group and stream that its container asks for, and drops lines of all other containers.
--
-- Containers ask in the annotation ecs-operator.dev/log-configuration of their pod: a JSON object with the name of each
-- container, its logDriver and its options, with the names that they have in ECS. The variable LOG_REGIONS has the
-- regions with an output, separated by commas.

local ANNOTATION = "ecs-operator.dev/log-configuration"
-- In bytes. Pods come and go; the entries of old ones are forgotten all at once.
local LARGEST_CACHE = 4194304
-- What Docker takes as true.
local TRUTH = { ["1"] = true, t = true, T = true, ["true"] = true, TRUE = true, True = true }

local regions = {}
for region in (os.getenv("LOG_REGIONS") or ""):gmatch("[^,]+") do
  regions[region] = true
end

local ESCAPES = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

-- Writes a line to the log of the agent at once, which print() does not. Whoever makes a pod chooses parts of the text.
local function say(text)
  io.stderr:write("[awslogs] " .. (text:gsub("%c", " ")) .. "\n")
end

-- The bytes of a code point in UTF-8.
local function utf8(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 0x1000), 0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return string.char(
    0xF0 + math.floor(code / 0x40000),
    0x80 + math.floor(code / 0x1000) % 0x40,
    0x80 + math.floor(code / 0x40) % 0x40,
    0x80 + code % 0x40
  )
end

local function decode_string(text, at)
  local parts = {}
  while true do
    local plain, stop = text:match('^([^"\\]*)(["\\])', at)
    if not plain then
      error("a string does not end")
    end
    parts[#parts + 1] = plain
    at = at + #plain + 1
    if stop == '"' then
      return table.concat(parts), at
    end
    local escape = text:sub(at, at)
    at = at + 1
    if escape == "u" then
      local code = tonumber(text:match("^%x%x%x%x", at), 16)
      at = at + 4
      local low = text:match("^\\u([dD][c-fC-F]%x%x)", at)
      if code >= 0xD800 and code < 0xDC00 and low then
        code = 0x10000 + (code - 0xD800) * 0x400 + (tonumber(low, 16) - 0xDC00)
        at = at + 6
      end
      parts[#parts + 1] = utf8(code)
    else
      parts[#parts + 1] = assert(ESCAPES[escape], "unknown escape")
    end
  end
end

local decode

-- The members of an object or array, up to `close`.
local function decode_members(text, at, close, member)
  local members = {}
  at = text:find("%S", at)
  if text:sub(at, at) == close then
    return members, at + 1
  end
  while true do
    at = member(members, text:find("%S", at))
    at = text:find("%S", at)
    local separator = text:sub(at, at)
    at = at + 1
    if separator == close then
      return members, at
    elseif separator ~= "," then
      error("no comma")
    end
  end
end

-- The value that begins at `at`, and where it ends.
function decode(text, at)
  at = text:find("%S", at)
  local first = text:sub(at, at)
  if first == '"' then
    return decode_string(text, at + 1)
  elseif first == "{" then
    return decode_members(text, at + 1, "}", function(members, from)
      local name, after = decode_string(text, from + 1)
      local value
      value, after = decode(text, assert(text:match("^%s*:()", after), "no colon"))
      members[name] = value
      return after
    end)
  elseif first == "[" then
    return decode_members(text, at + 1, "]", function(members, from)
      local value, after = decode(text, from)
      members[#members + 1] = value
      return after
    end)
  end
  -- Numbers, true, false and null mean nothing here.
  local word, after = text:match("^([%w%.%+%-]+)()", at)
  return assert(word, "no value"), after
end

local cache, cached = {}, 0

-- What the annotation of a pod says, by container; nothing if it is no JSON. An annotation may have the token of another
-- driver, so the log of the agent never shows one.
local function configurations(annotation, name)
  local known = cache[annotation]
  if known then
    return known
  end
  cached = cached + #annotation
  if cached > LARGEST_CACHE then
    cache, cached = {}, #annotation
  end
  local read, decoded = pcall(decode, annotation, 1)
  if not read or type(decoded) ~= "table" then
    say(ANNOTATION .. " of " .. name .. " is no JSON object, so the lines of the pod are not sent")
    decoded = {}
  end
  cache[annotation] = decoded
  return decoded
end

local complaints, complained = {}, 0

-- Says once what a container lacks.
local function complain(text)
  if not complaints[text] then
    complained = complained + #text
    if complained > LARGEST_CACHE then
      complaints, complained = {}, #text
    end
    complaints[text] = true
    say(text)
  end
end

-- The function that Fluent Bit calls for each line.
function awslogs(tag, timestamp, record)
  local pod = record.kubernetes
  if not pod then
    complain("the API server does not say whose log " .. tag .. " is, so its lines are not sent")
    return -1, timestamp, record
  end
  local annotation = pod.annotations and pod.annotations[ANNOTATION]
  if not annotation or not record.log then
    return -1, timestamp, record
  end
  local name = pod.namespace_name .. "/" .. pod.pod_name
  local configuration = configurations(annotation, name)[pod.container_name]
  if type(configuration) ~= "table" or configuration.logDriver ~= "awslogs" then
    return -1, timestamp, record
  end
  local options = type(configuration.options) == "table" and configuration.options or {}
  local group, region = options["awslogs-group"], options["awslogs-region"]
  local prefix = options["awslogs-stream-prefix"]
  local original = configuration.containerName
  local container = name .. "/" .. pod.container_name
  if type(group) ~= "string" or type(region) ~= "string" then
    complain(container .. " has no awslogs-group or awslogs-region, so its lines are not sent")
    return -1, timestamp, record
  end
  if not regions[region] then
    complain(container .. " logs to " .. region .. ", which logs.regions lacks, so its lines are not sent")
    return -1, timestamp, record
  end
  local stream = pod.docker_id
  if type(prefix) == "string" then
    stream = prefix .. "/" .. (type(original) == "string" and original or pod.container_name) .. "/" .. pod.pod_name
  end
  local output = region .. (TRUTH[options["awslogs-create-group"]] and ".create" or ".existing")
  return 2, timestamp, { log = record.log, group = group, stream = stream, output = output }
end
