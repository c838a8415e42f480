internal import CLinux
internal import Glibc
public import SystemPackage

extension EventLoop {
  /// How many event loops can run at the same time: the cores that this process may use.
  public static var availableCores: Int { Int(clinux_available_cores()) }

  /// Runs the loop on a thread of its own, called `name` (15 characters are shown by the system's tools).
  @discardableResult public func startThread(named name: String) throws(Errno) -> LoopThread {
    final class Launch {
      let loop: EventLoop
      let name: String
      init(loop: EventLoop, name: String) {
        self.loop = loop
        self.name = name
      }
    }
    let launch = unsafe Unmanaged.passRetained(Launch(loop: self, name: name))
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let launch = unsafe Unmanaged<Launch>.fromOpaque(argument!).takeRetainedValue()
        unsafe clinux_name_thread(launch.name)
        launch.loop.run()
        return nil
      }, launch.toOpaque())
    guard status == 0 else {
      unsafe launch.release()
      throw Errno(rawValue: status)
    }
    return LoopThread(thread)
  }
}
