import Configuration
import Testing

@testable import ProxyCore

@Suite("The bound of memory") struct MemoryBoundTests {
  private static let version1 = """
    24 18 0:21 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
    25 24 0:22 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
    26 24 0:23 / /sys/fs/cgroup/memory rw,relatime shared:10 - cgroup cgroup rw,memory
    27 24 0:24 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw

    """
  private static let version2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
  private static let unlimited = "9223372036854771712\n"

  private func least(_ files: [String: String]) -> ControlGroupMemory? {
    ControlGroupMemory.least { files[$0] }
  }

  @Test("is the least limit of the groups of version 1, from the process's own up")
  func groupsOfVersion1() {
    var files = [
      "/proc/self/mountinfo": Self.version1,
      "/proc/self/cgroup": "5:cpu:/other\n4:memory:/a/b\n0::/\n",
      "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "67108864\n",
      "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "33554432\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": Self.unlimited,
    ]
    #expect(
      least(files) == ControlGroupMemory(limit: 33_554_432, file: "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"))
    files["/sys/fs/cgroup/memory/a/memory.limit_in_bytes"] = Self.unlimited
    #expect(least(files)?.limit == 67_108_864)
    files["/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes"] = Self.unlimited
    #expect(least(files) == nil)
  }

  @Test("is the least limit of the groups of version 2, where max is none")
  func groupsOfVersion2() {
    var files = [
      "/proc/self/mountinfo": Self.version2, "/proc/self/cgroup": "0::/system.slice/m2m-proxy.service\n",
      "/sys/fs/cgroup/system.slice/m2m-proxy.service/memory.max": "max\n",
      "/sys/fs/cgroup/system.slice/memory.max": "1073741824\n",
    ]
    #expect(least(files)?.limit == 1 << 30)
    files["/sys/fs/cgroup/system.slice/memory.max"] = "max\n"
    #expect(least(files) == nil)
  }

  @Test("is found where a container has its own group mounted, by its path outside")
  func containers() {
    let mount = "40 39 0:23 /docker/1f2e /sys/fs/cgroup/memory ro master:11 - cgroup cgroup rw,memory\n"
    let limit = ["/sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n"]
    for group in ["/docker/1f2e", "/docker/other", "/../elsewhere"] {
      let files = limit.merging(
        ["/proc/self/mountinfo": mount, "/proc/self/cgroup": "9:hugetlb,memory:\(group)\n"], uniquingKeysWith: { $1 })
      #expect(least(files)?.limit == 134_217_728, "\(group)")
    }
  }

  @Test("is found on a mount whose path has a space, and in a group with a colon")
  func names() {
    let files = [
      "/proc/self/mountinfo": "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n",
      "/proc/self/cgroup": "0::/a:b\n", "/my groups/a:b/memory.max": "99999999\n",
    ]
    #expect(least(files)?.file == "/my groups/a:b/memory.max")
  }

  @Test(
    "is none where files are missing, or say something else",
    arguments: ["", "nonsense\n", "-1\n", "0\n", "99999999999999999999999\n"])
  func nonsense(text: String) {
    #expect(least([:]) == nil)
    let files = [
      "/proc/self/mountinfo": "- - -\n\n" + Self.version2, "/proc/self/cgroup": "0\n:\n0::/x\n",
      "/sys/fs/cgroup/x/memory.max": text,
    ]
    #expect(least(files) == nil)
  }

  @Test("is three quarters of what the group leaves beside the program, and never too little to serve anything")
  func automatic() {
    func bytes(_ limit: Int) -> Int? {
      MemoryBound(.automatic, in: { ControlGroupMemory(limit: limit, file: "memory.max") }).bytes
    }
    #expect(bytes(32 << 20) == 18 << 20)
    #expect(bytes(256 << 20) == 186 << 20)
    #expect(bytes(8 << 20) == 4 << 20)
    #expect(MemoryBound(.automatic, in: { nil }).bytes == nil)
  }

  @Test("is what proxy.conf says, whatever the group")
  func configured() {
    let group = { ControlGroupMemory(limit: 32 << 20, file: "memory.max") }
    #expect(MemoryBound(.bytes(64 << 20), in: group).bytes == 64 << 20)
    #expect(MemoryBound(.off, in: group).bytes == nil)
    #expect(MemoryBound(.bytes(64 << 20), in: group).description.contains("limits.memory"))
    #expect(MemoryBound(.automatic, in: group).description.contains("memory.max"))
  }
}
