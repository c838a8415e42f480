extension MetricsRegistry {
  /// Registers the figures about the process that every Prometheus client library exposes, by the same names.
  public func registerProcessMetrics() {
    counter("process_cpu_seconds_total", help: "Total user and system CPU time spent in seconds.") {
      ProcessFigures.cpuSeconds
    }
    gauge("process_resident_memory_bytes", help: "Resident memory size in bytes.") { ProcessFigures.residentMemory }
    gauge("process_virtual_memory_bytes", help: "Virtual memory size in bytes.") { ProcessFigures.virtualMemory }
    gauge("process_open_fds", help: "Number of open file descriptors.") { ProcessFigures.openDescriptors }
    gauge("process_max_fds", help: "Maximum number of open file descriptors.") { ProcessFigures.descriptorLimit }
    let started = ProcessFigures.startTime
    gauge("process_start_time_seconds", help: "Start time of the process since unix epoch in seconds.") { started }
  }
}
