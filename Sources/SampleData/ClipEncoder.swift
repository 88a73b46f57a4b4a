// Pictures and sound to an MP4 file in memory: H.264 by x264 and AAC, the same settings for every clip, and nothing in the
// file that tells when or where it was made.

import CLibAV

import Glibc

/// Writes one clip through libav.
struct ClipEncoder {
  /// The size of the finished file is drawn from this range, whatever the content: cameras fill up to a rate, too.
  static let fileSizes: ClosedRange<Int> = 62_000...86_000

  /// Encodes the clip as an MP4 file of exactly `size` bytes.
  ///
  /// - Throws: `SampleDataError` when libav lacks an encoder or refuses, or when the content does not fit.
  static func encode(_ pictures: [Canvas], _ sound: [Float], size: Int, name: String) throws -> [UInt8] {
    let file = try Muxer(name: name)
    defer { file.close() }
    try file.write(pictures, sound)
    var bytes = file.finish()
    let rest = size - bytes.count
    guard rest >= 8 else {
      throw SampleDataError(
        "\(name) has \(bytes.count) bytes and must fit into \(size): a mistake of the generator; please report it.")
    }
    // A `free` box, which players skip.
    for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: UInt32(rest) >> shift)) }
    bytes += Array("free".utf8)
    bytes += [UInt8](repeating: 0, count: rest - 8)
    return bytes
  }
}

/// The libav handles of one file. Used by one thread, and closed by `close`.
private final class Muxer {
  private let name: String
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var video: UnsafeMutablePointer<AVCodecContext>?
  private var audio: UnsafeMutablePointer<AVCodecContext>?
  private var packet = av_packet_alloc()
  private var output: UnsafeMutablePointer<AVIOContext>?
  private var finished = false

  init(name: String) throws {
    self.name = name
    try check(avformat_alloc_output_context2(&format, nil, "mp4", nil), "open an MP4 file")
    format!.pointee.flags |= AVFMT_FLAG_BITEXACT
    try check(avio_open_dyn_buf(&output), "open a buffer")
    format!.pointee.pb = output
    try addVideo()
    try addAudio()
    try check(avformat_write_header(format, nil), "write the header")
  }

  func write(_ pictures: [Canvas], _ sound: [Float]) throws {
    let samplesPerFrame = Int(audio!.pointee.frame_size)
    var next = 0
    for (i, picture) in pictures.enumerated() {
      try send(videoFrame(picture, i), to: video, stream: 0)
      while next < sound.count, next * 25 <= (i + 1) * SpeechScript.sampleRate || i == pictures.count - 1 {
        let end = min(next + samplesPerFrame, sound.count)
        try send(audioFrame(sound[next..<end], at: next), to: audio, stream: 1)
        next = end
      }
    }
    try send(nil, to: video, stream: 0)
    try send(nil, to: audio, stream: 1)
    try check(av_write_trailer(format), "write the index")
  }

  /// The bytes of the file.
  func finish() -> [UInt8] {
    var pointer: UnsafeMutablePointer<UInt8>?
    let count = avio_close_dyn_buf(output, &pointer)
    finished = true
    format!.pointee.pb = nil
    defer { av_free(pointer) }
    return Array(UnsafeBufferPointer(start: pointer, count: Int(count)))
  }

  func close() {
    if !finished, output != nil {
      var pointer: UnsafeMutablePointer<UInt8>?
      avio_close_dyn_buf(output, &pointer)
      av_free(pointer)
    }
    avcodec_free_context(&video)
    avcodec_free_context(&audio)
    av_packet_free(&packet)
    if format != nil { format!.pointee.pb = nil }
    avformat_free_context(format)
  }

  // MARK: - Streams

  private func addVideo() throws {
    guard let codec = avcodec_find_encoder_by_name("libx264") else {
      throw SampleDataError("libavcodec has no libx264 encoder; install the distribution's full libavcodec.")
    }
    let context = avcodec_alloc_context3(codec)!
    video = context
    context.pointee.width = Int32(Canvas.side)
    context.pointee.height = Int32(Canvas.side)
    context.pointee.pix_fmt = AV_PIX_FMT_YUV420P
    context.pointee.time_base = AVRational(num: 1, den: 25)
    context.pointee.framerate = AVRational(num: 25, den: 1)
    context.pointee.color_range = AVCOL_RANGE_MPEG
    context.pointee.colorspace = AVCOL_SPC_SMPTE170M
    context.pointee.color_primaries = AVCOL_PRI_SMPTE170M
    context.pointee.color_trc = AVCOL_TRC_SMPTE170M
    context.pointee.thread_count = 1  // x264's bytes depend on it
    context.pointee.gop_size = 25
    context.pointee.max_b_frames = 2
    context.pointee.bit_rate = 170_000
    context.pointee.rc_max_rate = 190_000
    context.pointee.rc_buffer_size = 95_000
    // cpu-independent: without it the macroblock tree reads memory that nobody wrote, and its bytes change from run to run
    // (seen with x264 r3095), not only from processor to processor.
    try start(context, codec, ["preset": "medium", "x264-params": "threads=1:cpu-independent=1"])
  }

  private func addAudio() throws {
    guard let codec = avcodec_find_encoder_by_name("aac") else {
      throw SampleDataError("libavcodec has no AAC encoder; install the distribution's full libavcodec.")
    }
    let context = avcodec_alloc_context3(codec)!
    audio = context
    context.pointee.sample_rate = Int32(SpeechScript.sampleRate)
    context.pointee.sample_fmt = AV_SAMPLE_FMT_FLTP
    av_channel_layout_default(&context.pointee.ch_layout, 1)
    context.pointee.time_base = AVRational(num: 1, den: Int32(SpeechScript.sampleRate))
    context.pointee.bit_rate = 48_000
    try start(context, codec, [:])
  }

  private func start(
    _ context: UnsafeMutablePointer<AVCodecContext>, _ codec: UnsafePointer<AVCodec>, _ options: [String: String]
  ) throws {
    context.pointee.flags |= AV_CODEC_FLAG_BITEXACT
    context.pointee.log_level_offset = 16  // libav prints by itself, and of that only errors matter
    if format!.pointee.oformat.pointee.flags & AVFMT_GLOBALHEADER != 0 {
      context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
    }
    var dictionary: OpaquePointer?
    for (key, value) in options.sorted(by: { $0.key < $1.key }) { av_dict_set(&dictionary, key, value, 0) }
    let status = avcodec_open2(context, codec, &dictionary)
    av_dict_free(&dictionary)
    try check(status, "start the encoder")
    let stream = avformat_new_stream(format, nil)!
    try check(avcodec_parameters_from_context(stream.pointee.codecpar, context), "describe a stream")
    stream.pointee.time_base = context.pointee.time_base
    if context.pointee.framerate.num > 0 { stream.pointee.avg_frame_rate = context.pointee.framerate }
  }

  private func send(
    _ frame: UnsafeMutablePointer<AVFrame>?, to context: UnsafeMutablePointer<AVCodecContext>?, stream: Int32
  ) throws {
    var frame = frame
    let status = avcodec_send_frame(context, frame)
    av_frame_free(&frame)
    try check(status, "encode")
    while true {
      let received = avcodec_receive_packet(context, packet)
      if received == unmask_averror_eof() || received == unmask_averror_eagain() { return }
      try check(received, "encode")
      packet!.pointee.stream_index = stream
      let target = format!.pointee.streams[Int(stream)]!.pointee.time_base
      av_packet_rescale_ts(packet, context!.pointee.time_base, target)
      try check(av_interleaved_write_frame(format, packet), "write a packet")
    }
  }

  // MARK: - Frames

  private func videoFrame(_ picture: Canvas, _ number: Int) throws -> UnsafeMutablePointer<AVFrame> {
    let frame = av_frame_alloc()!
    frame.pointee.format = AV_PIX_FMT_YUV420P.rawValue
    frame.pointee.width = Int32(Canvas.side)
    frame.pointee.height = Int32(Canvas.side)
    frame.pointee.pts = Int64(number)
    try check(av_frame_get_buffer(frame, 0), "allocate a picture")
    let data = frame.pointee.data, lines = frame.pointee.linesize
    let side = Canvas.side
    let y = data.0!, u = data.1!, v = data.2!
    let yLine = Int(lines.0), uLine = Int(lines.1), vLine = Int(lines.2)
    picture.pixels.withUnsafeBufferPointer { pixels in
      for row in stride(from: 0, to: side, by: 2) {
        for column in stride(from: 0, to: side, by: 2) {
          var sum = SIMD4<Float>.zero
          for dy in 0..<2 {
            for dx in 0..<2 {
              let colour = pixels[(row + dy) * side + column + dx].clamped(lowerBound: .zero, upperBound: .one)
              sum += colour
              let luma = 0.299 * colour.x + 0.587 * colour.y + 0.114 * colour.z
              y[(row + dy) * yLine + column + dx] = UInt8(16.5 + 219 * luma)
            }
          }
          sum *= 0.25
          let luma = 0.299 * sum.x + 0.587 * sum.y + 0.114 * sum.z
          u[(row / 2) * uLine + column / 2] = UInt8(128.5 + 224 * 0.5 / (1 - 0.114) * (sum.z - luma))
          v[(row / 2) * vLine + column / 2] = UInt8(128.5 + 224 * 0.5 / (1 - 0.299) * (sum.x - luma))
        }
      }
    }
    return frame
  }

  private func audioFrame(_ samples: ArraySlice<Float>, at position: Int) throws -> UnsafeMutablePointer<AVFrame> {
    let frame = av_frame_alloc()!
    frame.pointee.format = AV_SAMPLE_FMT_FLTP.rawValue
    frame.pointee.nb_samples = Int32(samples.count)
    frame.pointee.sample_rate = Int32(SpeechScript.sampleRate)
    av_channel_layout_default(&frame.pointee.ch_layout, 1)
    frame.pointee.pts = Int64(position)
    try check(av_frame_get_buffer(frame, 0), "allocate sound")
    frame.pointee.data.0!.withMemoryRebound(to: Float.self, capacity: samples.count) { out in
      for (i, value) in samples.enumerated() { out[i] = min(max(value, -1), 1) }
    }
    return frame
  }

  private func check(_ status: Int32, _ what: String) throws {
    guard status < 0 else { return }
    var text = [CChar](repeating: 0, count: 128)
    av_strerror(status, &text, text.count)
    let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    throw SampleDataError("libav could not \(what) for \(name): \(reason).")
  }
}
