-- The specs of examples/testing are run as their author would run them: `sprylua test`, in their own folder.
local program = require "spec.support.program"

describe("examples/testing", function()
  it("passes its own specs, in its own folder", function()
    local result = program.run({ "test", "-o", "plainTerminal" }, { folder = "examples/testing" })
    assert.equal(0, result.code, result.out .. result.err)
    assert.matches("5 successes / 0 failures / 0 errors", result.out)
  end)
end)
