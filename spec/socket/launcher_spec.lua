-- ./sprylua, the script that builds what has changed and runs it. These specs build nothing: they look at a launcher
-- whose program is there and fresh, and at one whose packages cannot be had.
local program = require "spec.support.program"

local function shell(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo $?"))
  local text, code = pipe:read("a"):match "^(.-)(%d+)\n$"
  pipe:close()
  return text, tonumber(code)
end

local recorder = [[#!/bin/sh
echo "${0##*/} $*" >> "${0%%/*}/calls"
exit %d
]]

describe("the launcher", function()
  local folder

  before_each(function()
    local launcher = assert(io.open "sprylua"):read "a"
    -- A program that tells what it was given, newer than its sources.
    folder = program.folder {
      ["p/sprylua"] = launcher, ["p/CMakeLists.txt"] = "", ["p/src/x.c"] = "", ["p/lua/x.lua"] = "",
      ["p/build/bin/sprylua"] = "#!/bin/sh\necho \"$PWD: $*\"\nexit 7\n",
      ["bin/dpkg-query"] = recorder:format(1), ["bin/apt-get"] = recorder:format(100),
      ["bin/sudo"] = recorder:format(1),
    }
    shell(("cd %s && chmod +x p/sprylua p/build/bin/sprylua bin/* && touch p/build/stamp"):format(folder))
  end)

  after_each(function() program.remove(folder) end)

  local function launch(path, args)
    return shell(("cd / && PATH=%s/bin:$PATH %s/%s %s"):format(folder, folder, path, args))
  end

  local function calls()
    local file = io.open(folder .. "/bin/calls")
    return file and file:read "a" or ""
  end

  it("hands on the folder, the arguments and the exit code, and asks no package tool", function()
    local text, code = launch("p/sprylua", "serve 'a b' -p 0")
    assert.equal("/: serve a b -p 0\n", text)
    assert.equal(7, code)
    assert.equal("", calls())
  end)

  it("finds its folder through a link", function()
    shell(("ln -s p/sprylua %s/link && ln -s %s/link %s/again"):format(folder, folder, folder))
    local text, code = launch("again", "version")
    assert.equal("/: version\n", text)
    assert.equal(7, code)
  end)

  it("names the packages that cannot be installed, and ends with 69", function()
    shell(("touch -d '+1 minute' %s/p/src/x.c"):format(folder))
    local text, code = launch("p/sprylua", "serve")
    assert.equal(69, code)
    assert.truthy(text:find "cannot install cmake gcc .*libwslay%-dev", text)
    assert.truthy(calls():find "dpkg%-query")
    assert.truthy(calls():find "apt%-get.* update" or calls():find "sudo")
  end)
end)
