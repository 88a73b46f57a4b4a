/// The part of Python's pickle language that dictionaries of tensors are written in (protocols 2 to 5). It runs nothing:
/// a class or function is only ever a name, and the few names that state dictionaries need are answered here. Anything
/// else ends the reading with a sentence that names it.
///
/// Values live in one flat list and point to each other by index, so neither a cycle nor deep nesting can hang or
/// overflow anything, and memory grows with the bytes that are read, whatever numbers they state.
struct Pickle {
  /// A value; containers are places in `containers`.
  enum Value: Hashable {
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case bytes(Int)  // how many; nobody asks for the content
    case global(String)
    case container(Int)
    case tensor(Int)
  }

  /// A tuple, list, set or dictionary.
  enum Container {
    case sequence([Value])
    case dictionary([(key: Value, value: Value)])
  }

  /// A tensor as `torch._utils._rebuild_tensor_v2` describes it, checked against its storage.
  struct View: Hashable {
    /// Name of the storage's record.
    let key: String
    /// PyTorch's name of the element type, e.g. `FloatStorage`.
    let storageType: String
    /// Elements of the storage.
    let storageCount: Int
    let offset: Int
    let shape, strides: [Int]
  }

  private(set) var containers: [Container] = []
  private(set) var tensors: [View] = []
  /// What the pickle holds.
  private(set) var root = Value.none

  // A tensor takes about forty; each step keeps less than a hundred bytes.
  private static let stepLimit = 4_000_000

  private let bytes: UnsafeRawBufferPointer
  private var at = 0
  private var stack: [Value] = []
  private var marks: [Int] = []
  private var memo: [Int: Value] = [:]
  private var memoized = 0

  /// - Throws: `PickleProblem` for anything that is not a dictionary of tensors and plain values.
  init(_ bytes: UnsafeRawBufferPointer) throws(PickleProblem) {
    self.bytes = bytes
    guard bytes.count >= 2, bytes[0] == 0x80, (2...5).contains(bytes[1]) else {
      throw PickleProblem("its data.pkl is no pickle of protocol 2 to 5")
    }
    var steps = 0
    while true {
      let code = try byte()
      if code == UInt8(ascii: ".") { break }
      steps += 1
      guard steps <= Pickle.stepLimit else { throw PickleProblem("its data.pkl is longer than any state_dict's") }
      try run(code)
    }
    guard stack.count == 1, marks.isEmpty else { throw PickleProblem("its data.pkl ends in the middle of something") }
    root = stack[0]
  }

  /// The entries of a dictionary, nil for other values.
  func dictionary(_ value: Value) -> [(key: Value, value: Value)]? {
    guard case .container(let index) = value, case .dictionary(let entries) = containers[index] else { return nil }
    return entries
  }

  private func sequence(_ value: Value) -> [Value]? {
    guard case .container(let index) = value, case .sequence(let items) = containers[index] else { return nil }
    return items
  }
}

/// What is wrong with a pickle.
struct PickleProblem: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

extension Pickle {
  private static let damaged = PickleProblem("its data.pkl is damaged or cut off")

  private mutating func byte() throws(PickleProblem) -> UInt8 {
    guard at < bytes.count else { throw Pickle.damaged }
    defer { at += 1 }
    return bytes[at]
  }

  private mutating func take(_ count: Int) throws(PickleProblem) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= bytes.count - at else { throw Pickle.damaged }
    defer { at += count }
    return UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
  }

  private mutating func unsigned(_ length: Int) throws(PickleProblem) -> Int {
    var value: UInt64 = 0
    for (index, byte) in try take(length).enumerated() { value |= UInt64(byte) << (8 * UInt64(index)) }
    guard let number = Int(exactly: value) else { throw Pickle.damaged }
    return number
  }

  private mutating func text(_ count: Int) throws(PickleProblem) -> Value {
    guard let string = String(validating: try take(count), as: UTF8.self) else {
      throw PickleProblem("a text in its data.pkl is not UTF-8")
    }
    return .string(string)
  }

  private mutating func line() throws(PickleProblem) -> String {
    let start = at
    while try byte() != 0x0A {}
    guard let string = String(validating: bytes[start..<(at - 1)], as: UTF8.self) else { throw Pickle.damaged }
    return string
  }

  private mutating func pop() throws(PickleProblem) -> Value {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw Pickle.damaged }
    return value
  }

  private mutating func popToMark() throws(PickleProblem) -> [Value] {
    guard let mark = marks.popLast(), mark <= stack.count else { throw Pickle.damaged }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private mutating func push(_ container: Container) {
    stack.append(.container(containers.count))
    containers.append(container)
  }

  private mutating func append(_ items: [Value]) throws(PickleProblem) {
    guard case .container(let index)? = stack.last, case .sequence(var all) = containers[index] else {
      throw Pickle.damaged
    }
    containers[index] = .sequence([])  // so that the list is not copied
    all += items
    containers[index] = .sequence(all)
  }

  private mutating func set(_ items: [Value]) throws(PickleProblem) {
    guard items.count % 2 == 0, case .container(let index)? = stack.last,
      case .dictionary(var all) = containers[index]
    else { throw Pickle.damaged }
    containers[index] = .dictionary([])
    for pair in stride(from: 0, to: items.count, by: 2) { all.append((items[pair], items[pair + 1])) }
    containers[index] = .dictionary(all)
  }

  private static func pairs(_ items: [Value]) throws(PickleProblem) -> [(key: Value, value: Value)] {
    guard items.count % 2 == 0 else { throw damaged }
    return stride(from: 0, to: items.count, by: 2).map { (items[$0], items[$0 + 1]) }
  }

  private mutating func run(_ code: UInt8) throws(PickleProblem) {
    switch code {
    case 0x80: _ = try byte()  // PROTO
    case 0x95: _ = try unsigned(8)  // FRAME: a hint about lengths
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "0"):
      if marks.last == stack.count, !marks.isEmpty { marks.removeLast() } else { _ = try pop() }
    case UInt8(ascii: "1"): _ = try popToMark()
    case UInt8(ascii: "2"):
      let top = try pop()
      stack += [top, top]
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "J"): stack.append(.int(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
    case UInt8(ascii: "K"): stack.append(.int(try unsigned(1)))
    case UInt8(ascii: "M"): stack.append(.int(try unsigned(2)))
    case 0x8A: try long(try unsigned(1))
    case 0x8B: try long(try unsigned(4))
    case UInt8(ascii: "G"):
      let bits = try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      stack.append(.double(Double(bitPattern: bits)))
    case UInt8(ascii: "U"), 0x8C: stack.append(try text(try unsigned(1)))
    case UInt8(ascii: "T"), UInt8(ascii: "X"): stack.append(try text(try unsigned(4)))
    case 0x8D: stack.append(try text(try unsigned(8)))
    case UInt8(ascii: "C"): stack.append(.bytes(try take(try unsigned(1)).count))
    case UInt8(ascii: "B"): stack.append(.bytes(try take(try unsigned(4)).count))
    case 0x8E, 0x96: stack.append(.bytes(try take(try unsigned(8)).count))
    case UInt8(ascii: ")"), UInt8(ascii: "]"), 0x8F: push(.sequence([]))
    case UInt8(ascii: "t"), UInt8(ascii: "l"), 0x91: push(.sequence(try popToMark()))
    case 0x85...0x87:
      var items: [Value] = []
      for _ in 0..<(Int(code) - 0x84) { items.append(try pop()) }
      push(.sequence(items.reversed()))
    case UInt8(ascii: "a"): try append([try pop()])
    case UInt8(ascii: "e"), 0x90: try append(try popToMark())
    case UInt8(ascii: "}"): push(.dictionary([]))
    case UInt8(ascii: "d"): push(.dictionary(try Pickle.pairs(try popToMark())))
    case UInt8(ascii: "s"):
      let value = try pop()
      try set([try pop(), value])
    case UInt8(ascii: "u"): try set(try popToMark())
    case UInt8(ascii: "c"):
      let module = try line()
      stack.append(try global(module, try line()))
    case 0x93:
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else { throw Pickle.damaged }
      stack.append(try global(module, name))
    case UInt8(ascii: "q"): try remember(try unsigned(1))
    case UInt8(ascii: "r"): try remember(try unsigned(4))
    case 0x94: try remember(memoized)
    case UInt8(ascii: "h"): try recall(try unsigned(1))
    case UInt8(ascii: "j"): try recall(try unsigned(4))
    case UInt8(ascii: "Q"): try storage(try pop())
    case UInt8(ascii: "R"):
      let arguments = try pop()
      try reduce(try pop(), arguments)
    case UInt8(ascii: "b"):
      // A state dictionary carries its version notes as an attribute; they are not needed.
      let state = try pop()
      guard let top = stack.last, dictionary(top) != nil, dictionary(state) != nil else {
        throw PickleProblem("its data.pkl sets the attributes of an object; save a state_dict alone")
      }
    default:
      throw PickleProblem("its data.pkl has the instruction 0x\(String(code, radix: 16)), which no state_dict needs")
    }
  }

  private mutating func long(_ length: Int) throws(PickleProblem) {
    let digits = try take(length)
    guard length <= 8 else { throw PickleProblem("its data.pkl has a number of \(length) bytes") }
    var value: UInt64 = digits.last.map { $0 & 0x80 != 0 } ?? false ? ~0 : 0
    for byte in digits.reversed() { value = value << 8 | UInt64(byte) }
    stack.append(.int(Int(Int64(bitPattern: value))))
  }

  private mutating func remember(_ place: Int) throws(PickleProblem) {
    guard let top = stack.last else { throw Pickle.damaged }
    memo[place] = top
    memoized += 1
  }

  private mutating func recall(_ place: Int) throws(PickleProblem) {
    guard let value = memo[place] else { throw Pickle.damaged }
    stack.append(value)
  }

  private static let storageTypes: Set<String> = [
    "FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage", "ShortStorage",
    "CharStorage", "ByteStorage", "BoolStorage",
  ]

  private func global(_ module: String, _ name: String) throws(PickleProblem) -> Value {
    let full = "\(module).\(name)"
    let functions: Set<String> = [
      "collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter", "torch.Size",
    ]
    guard functions.contains(full) || module == "torch" && Pickle.storageTypes.contains(name) else {
      throw PickleProblem(
        "its data.pkl asks for \(quoted(full)), which is not run here; save the model's state_dict() alone, and read no "
          + "file that you do not trust in Python")
    }
    return .global(full)
  }

  /// `('storage', type, key, device, count)`, kept as a sequence with the mark of a storage in front.
  private mutating func storage(_ id: Value) throws(PickleProblem) {
    guard let parts = sequence(id), parts.count == 5, parts[0] == .string("storage"), case .global(let type) = parts[1],
      type.hasPrefix("torch."), case .string = parts[2], case .int(let count) = parts[4], count >= 0
    else { throw PickleProblem("its data.pkl names a storage in a way that torch.save does not") }
    push(.sequence([.global("storage"), .string(String(type.dropFirst(6))), parts[2], parts[4]]))
  }

  private mutating func reduce(_ function: Value, _ arguments: Value) throws(PickleProblem) {
    guard case .global(let name) = function, let arguments = sequence(arguments) else {
      throw PickleProblem("its data.pkl calls something that is no function")
    }
    switch name {
    case "collections.OrderedDict" where arguments.isEmpty: push(.dictionary([]))
    case "torch.Size" where arguments.count == 1 && sequence(arguments[0]) != nil: stack.append(arguments[0])
    case "torch._utils._rebuild_parameter" where arguments.count == 3:
      guard case .tensor = arguments[0] else { throw PickleProblem("its data.pkl makes a parameter of no tensor") }
      stack.append(arguments[0])
    case "torch._utils._rebuild_tensor_v2" where arguments.count >= 6:
      stack.append(.tensor(tensors.count))
      tensors.append(try view(arguments))
    default: throw PickleProblem("its data.pkl calls \(quoted(name)) in a way that torch.save does not")
    }
  }

  /// - Throws: unless every element of the tensor is one of its storage, and none is shown twice.
  private func view(_ arguments: [Value]) throws(PickleProblem) -> View {
    let wrong = PickleProblem("its data.pkl describes a tensor that does not fit its storage")
    guard let storage = sequence(arguments[0]), storage.count == 4, storage[0] == .global("storage"),
      case .string(let type) = storage[1], case .string(let key) = storage[2], case .int(let count) = storage[3],
      case .int(let offset) = arguments[1], let sizes = sequence(arguments[2]), let steps = sequence(arguments[3]),
      sizes.count == steps.count, sizes.count <= 8, offset >= 0
    else { throw wrong }
    var (shape, strides): ([Int], [Int]) = ([], [])
    for (size, step) in zip(sizes, steps) {
      guard case .int(let size) = size, case .int(let step) = step, size >= 0, step >= 0 else { throw wrong }
      shape.append(size)
      strides.append(step)
    }
    var (elements, last) = (1, offset)
    for axis in shape.indices {
      let (product, overflow) = elements.multipliedReportingOverflow(by: max(1, shape[axis]))
      guard !overflow else { throw wrong }
      elements = product
      // The stride of an axis of one element is never used, and may be anything.
      guard shape[axis] > 1 else {
        strides[axis] = 1
        continue
      }
      let (reach, tooFar) = (shape[axis] - 1).multipliedReportingOverflow(by: strides[axis])
      let (sum, beyond) = last.addingReportingOverflow(reach)
      guard !tooFar, !beyond else { throw wrong }
      last = sum
    }
    // Fewer stored elements than shown ones: an expanded tensor, which could be made as large as one likes.
    guard shape.contains(0) || last < count && elements <= count else { throw wrong }
    return View(
      key: key, storageType: type, storageCount: count, offset: shape.contains(0) ? 0 : offset, shape: shape,
      strides: strides)
  }
}
