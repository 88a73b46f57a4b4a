// One open container (MP4, Matroska, AVI, Ogg, a picture …) of libav: what is in it, and its packets one after another.

import CLibAV
import CMedia
import Foundation

/// An open container. Not thread-safe: it belongs to whoever opened it.
final class Container {
  let path: String
  let limits: MediaLimits
  private(set) var context: UnsafeMutablePointer<AVFormatContext>
  private let packet: UnsafeMutablePointer<AVPacket>
  private var packetsRead = 0

  /// Opens the file by content; its name does not matter, and nothing but this one file is ever opened.
  init(path: String, limits: MediaLimits) throws(MediaError) {
    self.path = path
    self.limits = limits
    dk_capture_av_log()
    dk_clear_av_log()
    _ = try fileSize(path)
    context = try openContainer(path)
    guard let packet = av_packet_alloc() else { fatalError("libav has no memory for a packet.") }
    self.packet = packet
    if let missing = try missingEnd(of: path, format: formatName) {
      throw MediaError(.damaged, path: path, "it breaks off: \(missing)")
    }
    try findStreams()
  }

  deinit {
    var packet: UnsafeMutablePointer<AVPacket>? = packet
    av_packet_free(&packet)
    closeContainer(context)
  }

  private func findStreams() throws(MediaError) {
    // Probing opens decoders of its own: they get the same bound on the size of a frame.
    let count = Int(context.pointee.nb_streams)
    var options = [OpaquePointer?](repeating: nil, count: max(count, 1))
    for i in 0..<count { av_dict_set(&options[i], "max_pixels", String(limits.framePixels), 0) }
    let status = avformat_find_stream_info(context, &options)
    for i in 0..<count { av_dict_free(&options[i]) }
    try av(status, path, "its streams cannot be read")
  }

  /// A stream; valid until `rewind`.
  func stream(_ index: Int) -> UnsafeMutablePointer<AVStream> { context.pointee.streams[index]! }

  /// The moving or still picture that a player would show; cover art of a sound file does not count.
  var video: Int? { best(AVMEDIA_TYPE_VIDEO) }

  /// The sound track that a player would play.
  var audio: Int? { best(AVMEDIA_TYPE_AUDIO) }

  private func best(_ type: AVMediaType) -> Int? {
    let index = Int(av_find_best_stream(context, type, -1, -1, nil, 0))
    guard index >= 0, stream(index).pointee.disposition & AV_DISPOSITION_ATTACHED_PIC == 0 else { return nil }
    return index
  }

  var formatName: String { String(cString: context.pointee.iformat.pointee.name) }

  /// Whether positions come from an index, so that seeking is exact and cheap.
  var hasIndex: Bool { formatName.hasPrefix("mov,") || formatName.hasPrefix("matroska,") }

  /// Whether the content is one picture rather than a sequence.
  var isStillImage: Bool { formatName.hasSuffix("_pipe") || formatName == "gif" }

  /// Goes back to where a stream begins and reads only that stream from there on.
  ///
  /// Only MP4 has an index that names the first packet, priming samples included; elsewhere libav may land behind it.
  /// Such a file is opened again, after which pointers to its streams are no longer valid.
  func rewind(to index: Int) throws(MediaError) {
    if packetsRead > 0 {
      if formatName.hasPrefix("mov,"), let first = avformat_index_get_entry(stream(index), 0) {
        try seek(index, to: first.pointee.timestamp)
      } else {
        let reopened = try openContainer(path)
        closeContainer(context)
        context = reopened
        try findStreams()
        guard index < Int(context.pointee.nb_streams) else {
          throw MediaError(.unreadable, path: path, "it changed while it was read")
        }
      }
    }
    for other in 0..<Int(context.pointee.nb_streams) {
      stream(other).pointee.discard = other == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL
    }
  }

  /// Goes to the key frame at or before a time of a stream.
  func seek(_ index: Int, to timestamp: Int64) throws(MediaError) {
    try av(av_seek_frame(context, Int32(index), timestamp, AVSEEK_FLAG_BACKWARD), path, "it cannot be searched")
  }

  /// The next packet of a stream, valid until the next call; nil at the end.
  func next(_ index: Int) throws(MediaError) -> UnsafeMutablePointer<AVPacket>? {
    while true {
      av_packet_unref(packet)
      let status = av_read_frame(context, packet)
      if status == unmask_averror_eof() { return nil }
      try av(status, path, "reading breaks off")
      packetsRead += 1
      guard packetsRead <= limits.packets else {
        throw MediaError(.tooLarge, path: path, "it has more than \(limits.packets) packets")
      }
      if packet.pointee.stream_index == index { return packet }
    }
  }
}

private func openContainer(_ path: String) throws(MediaError) -> UnsafeMutablePointer<AVFormatContext> {
  // The input is handed over already open, with no name and every protocol forbidden: a play list inside a data set can
  // then neither reach the network nor other files, and extensions play no part in probing.
  var input: UnsafeMutablePointer<AVIOContext>?
  try av(avio_open2(&input, "file:" + path, AVIO_FLAG_READ, nil, nil), path, "cannot be opened")
  var opened = avformat_alloc_context()
  guard opened != nil else { fatalError("libav has no memory for a container.") }
  opened!.pointee.pb = input
  var options: OpaquePointer?
  av_dict_set(&options, "protocol_whitelist", "none", 0)
  let status = avformat_open_input(&opened, nil, nil, &options)
  av_dict_free(&options)
  guard status >= 0, let opened else {
    avio_closep(&input)
    throw MediaError(.unknownFormat, path: path, "is no image, sound or video that can be read: \(avReason(status))")
  }
  return opened
}

private func closeContainer(_ context: UnsafeMutablePointer<AVFormatContext>) {
  var input = context.pointee.pb
  var context: UnsafeMutablePointer<AVFormatContext>? = context
  avformat_close_input(&context)
  avio_closep(&input)
}

/// An exact number of seconds for a timestamp of a stream.
func seconds(_ timestamp: Int64, _ base: AVRational) -> Double {
  Double(timestamp) * Double(base.num) / Double(base.den)
}

/// A rational number of libav, or nil when it says nothing.
func value(_ rational: AVRational) -> Double? {
  rational.num > 0 && rational.den > 0 ? Double(rational.num) / Double(rational.den) : nil
}
