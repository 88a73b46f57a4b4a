import Glibc

/// A queue between threads: anybody puts, one thread takes, and may wait for a while. Time is the monotonic clock's, so
/// that a clock that is set never ends or stretches a wait.
public final class Mailbox<Element: Sendable>: @unchecked Sendable {
  // Everything below is only touched with `mutex` held; the pointers never change.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var elements: [Element] = []
  private var next = 0

  /// An empty queue.
  public init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Appends an element and wakes whoever waits.
  public func put(_ element: Element) {
    pthread_mutex_lock(mutex)
    elements.append(element)
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// The first element, as soon as there is one; nil after the timeout in milliseconds.
  public func take(timeout: Int) -> Element? {
    var until = timespec()
    clock_gettime(CLOCK_MONOTONIC, &until)
    until.tv_sec += timeout / 1_000
    until.tv_nsec += (timeout % 1_000) * 1_000_000
    if until.tv_nsec >= 1_000_000_000 {
      until.tv_sec += 1
      until.tv_nsec -= 1_000_000_000
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while next == elements.count {
      if timeout <= 0 || pthread_cond_timedwait(condition, mutex, &until) == ETIMEDOUT { break }
    }
    guard next < elements.count else { return nil }
    let element = elements[next]
    next += 1
    if next == elements.count {
      elements.removeAll(keepingCapacity: true)
      next = 0
    } else if next >= 1_024 {
      elements.removeFirst(next)
      next = 0
    }
    return element
  }
}

/// Milliseconds of the monotonic clock: the one clock of all services.
public func monotonicMilliseconds() -> Int {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
}
