// One libav decoder: packets in, frames out. One thread each, so that the result never depends on timing.

import CLibAV
import CMedia
import Foundation

/// A decoder of one stream. Not thread-safe.
final class Decoder {
  private let path: String
  let context: UnsafeMutablePointer<AVCodecContext>
  let frame: UnsafeMutablePointer<AVFrame>

  /// Opens the decoder of a stream.
  init(_ stream: UnsafeMutablePointer<AVStream>, limits: MediaLimits, path: String) throws(MediaError) {
    self.path = path
    let parameters = stream.pointee.codecpar!
    guard let codec = avcodec_find_decoder(parameters.pointee.codec_id) else {
      let name = String(cString: avcodec_get_name(parameters.pointee.codec_id))
      throw MediaError(.unsupported, path: path, "there is no decoder for \(name)")
    }
    guard let context = avcodec_alloc_context3(codec), let frame = av_frame_alloc() else {
      fatalError("libav has no memory for a decoder.")
    }
    self.context = context
    self.frame = frame
    context.pointee.thread_count = 1
    context.pointee.pkt_timebase = stream.pointee.time_base
    context.pointee.max_pixels = Int64(limits.framePixels)
    try av(avcodec_parameters_to_context(context, parameters), path, "its decoder cannot be set up")
    try av(avcodec_open2(context, codec, nil), path, "its decoder cannot be opened")
  }

  deinit {
    var frame: UnsafeMutablePointer<AVFrame>? = frame
    av_frame_free(&frame)
    var context: UnsafeMutablePointer<AVCodecContext>? = context
    avcodec_free_context(&context)
  }

  /// Gives the decoder a packet, or nil at the end of the stream; false when it could make nothing of it.
  func send(_ packet: UnsafeMutablePointer<AVPacket>?) throws(MediaError) -> Bool {
    let status = avcodec_send_packet(context, packet)
    if status == 0 || (packet == nil && status == unmask_averror_eof()) { return true }
    if status == -ENOMEM { throw MediaError(.tooLarge, path: path, "not enough memory to decode it") }
    return false
  }

  /// Takes the next frame into `frame`; false when the decoder wants more packets, or has reached the end.
  func receive() throws(MediaError) -> Bool {
    let status = avcodec_receive_frame(context, frame)
    if status == 0 { return true }
    if status == -ENOMEM { throw MediaError(.tooLarge, path: path, "not enough memory to decode it") }
    return false
  }

  /// Forgets everything, after seeking.
  func flush() { avcodec_flush_buffers(context) }
}
