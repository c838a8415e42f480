-- Sends the request that is in the file BENCH_REQUEST, as it is, and writes what came of it to BENCH_REPORT.
local file = assert(io.open(os.getenv("BENCH_REQUEST"), "rb"))
local text = file:read("*a")
file:close()

request = function() return text end

done = function(summary, latency)
  local errors = summary.errors
  local report = assert(io.open(os.getenv("BENCH_REPORT"), "w"))
  report:write(string.format(
    '{"requests": %d, "microseconds": %d, "bytes": %d, "p50": %f, "p99": %f, "p99.9": %f, ' ..
    '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), errors.connect, errors.read, errors.write, errors.status, errors.timeout))
  report:close()
end
