-- Dates as HTTP writes them (RFC 9110, section 5.6.7): always in GMT, always in English, whatever the locale. Pure.

local M = {}

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local LONG_DAYS = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
local MONTH_LENGTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

-- The first and the last second of a year that has four digits.
local FIRST, LAST = -62167219200, 253402300799

local function positions(names)
  local found = {}
  for i, name in ipairs(names) do
    found[name] = i
  end
  return found
end

local IS_DAY, IS_LONG_DAY, MONTH_NUMBERS = positions(DAYS), positions(LONG_DAYS), positions(MONTHS)

---"Sun, 06 Nov 1994 08:49:37 GMT"; nil for a time whose year has no four digits.
---@param seconds number a time as os.time gives it
---@return string?
function M.format(seconds)
  -- Written so that NaN falls through.
  if not (seconds >= FIRST and seconds <= LAST) then
    return nil
  end
  local date = os.date("!*t", math.floor(seconds))
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(DAYS[date.wday], date.day, MONTHS[date.month], date.year,
    date.hour, date.min, date.sec)
end

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

local function days_in(year, month)
  return month == 2 and is_leap(year) and 29 or MONTH_LENGTHS[month]
end

-- Days from 1 January 1970. Counted here, since os.time reads its table as local time.
local function days_until(year, month, day)
  local before = year - 1
  local days = before * 365 + before // 4 - before // 100 + before // 400 - 719162
  for earlier = 1, month - 1 do
    days = days + days_in(year, earlier)
  end
  return days + day - 1
end

local function seconds_of(year, month_name, day, hour, minute, second)
  local month = MONTH_NUMBERS[month_name]
  if not month or day < 1 or day > days_in(year, month) then
    return nil
  elseif hour > 23 or minute > 59 or second > 60 then -- 60: a leap second
    return nil
  end
  return days_until(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

-- A year of two digits is the nearest such year, and at most 50 years ahead.
local function whole_year(short, now)
  local last = os.date("!*t", now).year + 50
  return last - (last - short) % 100
end

local function integers(...)
  local list = { ... }
  for i, text in ipairs(list) do
    list[i] = math.tointeger(tonumber(text))
  end
  return table.unpack(list)
end

-- Sun, 06 Nov 1994 08:49:37 GMT
local function fixdate(text)
  local name, day, month, year, hour, minute, second =
    text:match("^(%a%a%a), (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if name and IS_DAY[name] then
    day, year, hour, minute, second = integers(day, year, hour, minute, second)
    return seconds_of(year, month, day, hour, minute, second)
  end
end

-- Sunday, 06-Nov-94 08:49:37 GMT
local function rfc850(text, now)
  local name, day, month, year, hour, minute, second =
    text:match("^(%a+), (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if name and IS_LONG_DAY[name] then
    day, year, hour, minute, second = integers(day, year, hour, minute, second)
    return seconds_of(whole_year(year, now), month, day, hour, minute, second)
  end
end

-- Sun Nov  6 08:49:37 1994
local function asctime(text)
  local name, month, day, hour, minute, second, year =
    text:match("^(%a%a%a) (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$")
  if name and IS_DAY[name] then
    day, year, hour, minute, second = integers(day, year, hour, minute, second)
    return seconds_of(year, month, day, hour, minute, second)
  end
end

---A date in any of the three forms; nil for everything else. The day of the week is not held against the date.
---@param text string
---@param now integer? the time that a year of two digits is near to
---@return integer? seconds a time as os.time gives it
function M.parse(text, now)
  return fixdate(text) or rfc850(text, now) or asctime(text)
end

return M
