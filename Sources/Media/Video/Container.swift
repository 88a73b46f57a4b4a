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
    // The input is handed over already open, with no name and every protocol forbidden: a play list inside a data set
    // can then neither reach the network nor other files, and extensions play no part in probing.
    var input: UnsafeMutablePointer<AVIOContext>?
    try av(avio_open2(&input, "file:" + path, AVIO_FLAG_READ, nil, nil), path, "cannot be opened")
    var opened = avformat_alloc_context()
    guard opened != nil, let packet = av_packet_alloc() else { fatalError("libav has no memory for a container.") }
    opened!.pointee.pb = input
    var options: OpaquePointer?
    av_dict_set(&options, "protocol_whitelist", "none", 0)
    let status = avformat_open_input(&opened, nil, nil, &options)
    av_dict_free(&options)
    guard status >= 0, let opened else {
      avio_closep(&input)
      var unused: UnsafeMutablePointer<AVPacket>? = packet
      av_packet_free(&unused)
      throw MediaError(
        .unknownFormat, path: path, "is no image, sound or video that can be read: \(avReason(status))")
    }
    context = opened
    self.packet = packet
    if let missing = try missingEnd(of: path, format: formatName) {
      throw MediaError(.damaged, path: path, "it breaks off: \(missing)")
    }
    try findStreams()
  }

  deinit {
    var packet: UnsafeMutablePointer<AVPacket>? = packet
    av_packet_free(&packet)
    var input = context.pointee.pb
    var context: UnsafeMutablePointer<AVFormatContext>? = context
    avformat_close_input(&context)
    avio_closep(&input)
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

  var streams: [UnsafeMutablePointer<AVStream>] {
    (0..<Int(context.pointee.nb_streams)).compactMap { context.pointee.streams[$0] }
  }

  /// The moving or still picture that a player would show; cover art of a sound file does not count.
  var video: UnsafeMutablePointer<AVStream>? { best(AVMEDIA_TYPE_VIDEO) }

  /// The sound track that a player would play.
  var audio: UnsafeMutablePointer<AVStream>? { best(AVMEDIA_TYPE_AUDIO) }

  private func best(_ type: AVMediaType) -> UnsafeMutablePointer<AVStream>? {
    let index = av_find_best_stream(context, type, -1, -1, nil, 0)
    guard index >= 0, let stream = context.pointee.streams[Int(index)] else { return nil }
    return stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC == 0 ? stream : nil
  }

  var formatName: String { String(cString: context.pointee.iformat.pointee.name) }

  /// Whether positions come from an index, so that seeking is exact and cheap.
  var hasIndex: Bool { formatName.hasPrefix("mov,") || formatName.hasPrefix("matroska,") }

  /// Whether the content is one picture rather than a sequence.
  var isStillImage: Bool { formatName.hasSuffix("_pipe") || formatName == "gif" }

  /// Goes back to the beginning, or to the key frame at or before a time of a stream.
  func seek(_ stream: UnsafeMutablePointer<AVStream>, to timestamp: Int64) throws(MediaError) {
    var status = av_seek_frame(context, stream.pointee.index, timestamp, AVSEEK_FLAG_BACKWARD)
    if status < 0 { status = avformat_seek_file(context, -1, Int64.min, 0, 0, AVSEEK_FLAG_BYTE) }
    try av(status, path, "it cannot be read from the beginning again")
  }

  /// Reads packets of one stream only; the others are skipped while reading.
  func select(_ stream: UnsafeMutablePointer<AVStream>) {
    for other in streams { other.pointee.discard = other == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL }
  }

  /// The next packet of the selected stream, valid until the next call; nil at the end.
  func next(_ stream: UnsafeMutablePointer<AVStream>) throws(MediaError) -> UnsafeMutablePointer<AVPacket>? {
    while true {
      av_packet_unref(packet)
      let status = av_read_frame(context, packet)
      if status == unmask_averror_eof() { return nil }
      try av(status, path, "reading breaks off")
      packetsRead += 1
      guard packetsRead <= limits.packets else {
        throw MediaError(.tooLarge, path: path, "it has more than \(limits.packets) packets")
      }
      if packet.pointee.stream_index == stream.pointee.index { return packet }
    }
  }
}

/// An exact number of seconds for a timestamp of a stream.
func seconds(_ timestamp: Int64, _ base: AVRational) -> Double {
  Double(timestamp) * Double(base.num) / Double(base.den)
}

/// A rational number of libav, or nil when it says nothing.
func value(_ rational: AVRational) -> Double? {
  rational.num > 0 && rational.den > 0 ? Double(rational.num) / Double(rational.den) : nil
}
