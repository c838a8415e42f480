/// How a connection counts towards the limit of its client's connections.
enum ClientStanding {
  /// It is not known yet whose it is.
  case unknown
  /// It is one of those that the client may have.
  case counted(ClientAddress)
  /// It is one too many; the client is told so.
  case refused
}
