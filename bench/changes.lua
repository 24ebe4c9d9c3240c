-- SPDX-License-Identifier: Apache-2.0
-- What wrk asks in bench/changes.sh: each request creates a group of its own.
local token, n, thread_no, threads = os.getenv("TOKEN"), 0, 0, 0
function setup(thread)
	thread:set("thread_no", threads)
	threads = threads + 1
end
function init()
	run_no = os.getenv("RUN")
end
function request()
	n = n + 1
	local name = string.format("%s-%d-%d", run_no, thread_no, n)
	return wrk.format("POST", "/v1.0/groups",
		{["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json"},
		'{"displayName":"Group ' .. name .. '","mailNickname":"group' .. name .. '","mailEnabled":false,"securityEnabled":true}')
end
