// Sound files through libsndfile: WAV, FLAC, Ogg, AIFF and their relatives. Anything else is left to libav.

import CSndFile
import Foundation

/// An open sound file. One owner, closed with it.
final class SoundFile {
  let path: String
  let info: SF_INFO
  private let handle: OpaquePointer
  private let isOgg: Bool

  /// Opens a file if its first bytes are of a format that libsndfile reads best; nil otherwise.
  static func opening(_ path: String, head: [UInt8]) throws(MediaError) -> SoundFile? {
    let isKnown = head.withUnsafeBytes { bytes in
      let reader = ByteReader(bytes)
      func starts(_ text: StaticString, _ kind: StaticString) -> Bool { reader.ascii(0, text) && reader.ascii(8, kind) }
      return starts("RIFF", "WAVE") || starts("RIFX", "WAVE") || starts("RF64", "WAVE") || starts("FORM", "AIFF")
        || starts("FORM", "AIFC") || reader.ascii(0, "fLaC") || reader.ascii(0, "OggS") || reader.ascii(0, ".snd")
        || reader.ascii(0, "caff")
    }
    guard isKnown else { return nil }
    let isOgg = head.starts(with: Array("OggS".utf8))
    var info = SF_INFO()
    guard let handle = sf_open(path, Int32(SFM_READ), &info) else {
      // An Ogg file may hold a video, and a WAV file a codec that only libav knows.
      return nil
    }
    guard info.samplerate > 0, info.samplerate <= 1_000_000, info.channels > 0, info.channels <= 64 else {
      sf_close(handle)
      throw MediaError(
        .damaged, path: path, "it claims \(info.samplerate) Hz and \(info.channels) channels, which cannot be")
    }
    return SoundFile(path, handle, info, isOgg)
  }

  private init(_ path: String, _ handle: OpaquePointer, _ info: SF_INFO, _ isOgg: Bool) {
    self.path = path
    self.handle = handle
    self.info = info
    self.isOgg = isOgg
  }

  deinit { sf_close(handle) }

  /// Format and codec, in libav's words where it has them.
  var format: String {
    switch Int(info.format) & Int(SF_FORMAT_TYPEMASK) {
    case Int(SF_FORMAT_WAV), Int(SF_FORMAT_WAVEX), Int(SF_FORMAT_RF64): "wav"
    case Int(SF_FORMAT_FLAC): "flac"
    case Int(SF_FORMAT_OGG): "ogg"
    case Int(SF_FORMAT_AIFF): "aiff"
    case Int(SF_FORMAT_AU): "au"
    case Int(SF_FORMAT_CAF): "caf"
    default: "sndfile"
    }
  }

  var codec: String {
    switch Int(info.format) & Int(SF_FORMAT_SUBMASK) {
    case Int(SF_FORMAT_VORBIS): "vorbis"
    case Int(SF_FORMAT_OPUS): "opus"
    case let sub:
      if format == "flac" {
        "flac"
      } else {
        switch sub {
        case Int(SF_FORMAT_PCM_U8): "pcm_u8"
        case Int(SF_FORMAT_PCM_S8): "pcm_s8"
        case Int(SF_FORMAT_PCM_16): "pcm_s16"
        case Int(SF_FORMAT_PCM_24): "pcm_s24"
        case Int(SF_FORMAT_PCM_32): "pcm_s32"
        case Int(SF_FORMAT_FLOAT): "pcm_f32"
        case Int(SF_FORMAT_DOUBLE): "pcm_f64"
        case Int(SF_FORMAT_ULAW): "pcm_mulaw"
        case Int(SF_FORMAT_ALAW): "pcm_alaw"
        default: "pcm"
        }
      }
    }
  }

  /// All samples, from the beginning.
  func read(_ limits: MediaLimits) throws(MediaError) -> Sound {
    let channels = Int(info.channels)
    let promised = Int(info.frames)
    guard promised >= 0, promised <= limits.soundValues / channels else {
      throw MediaError(
        .tooLarge, path: path, "\(promised) frames of \(channels) channels are more than the limit for one sound")
    }
    guard promised > 0 else { throw MediaError(.damaged, path: path, "it has no samples") }
    try checkLength()
    sf_seek(handle, 0, SEEK_SET)
    // A header that lies about its length reserves addresses, not memory: pages are taken as samples arrive.
    var frames = 0
    let samples = [Float](unsafeUninitializedCapacity: promised * channels) { buffer, count in
      frames = max(0, Int(sf_readf_float(handle, buffer.baseAddress, sf_count_t(promised))))
      count = frames * channels
    }
    let error = sf_error(handle)
    guard error == SF_ERR_NO_ERROR else {
      throw MediaError(.damaged, path: path, "it cannot be decoded: \(String(cString: sf_error_number(error)))")
    }
    guard frames == promised else {
      throw MediaError(.damaged, path: path, "it breaks off after \(frames) of \(promised) frames")
    }
    guard areFinite(samples) else {
      throw MediaError(.damaged, path: path, "it contains samples that are no numbers")
    }
    return Sound(sampleRate: Int(info.samplerate), channels: channels, samples: samples)
  }

  /// libsndfile shortens a file that breaks off to what is there; here that is an error.
  private func checkLength() throws(MediaError) {
    let missing =
      switch format {
      case "wav", "aiff": try missingBytesOfChunks(path)
      case "ogg": try oggHasEnd(path) ? nil : "its last page is not marked as the end"
      default: nil as String?
      }
    if let missing { throw MediaError(.damaged, path: path, "it breaks off: \(missing)") }
  }
}

/// What of a WAV's or AIFF's sample data is beyond the end of the file, if anything.
private func missingBytesOfChunks(_ path: String) throws(MediaError) -> String? {
  let size = try fileSize(path)
  guard let file = fopen(path, "rb") else { return nil }
  defer { fclose(file) }
  func header(at offset: Int) -> (name: [UInt8], value: UInt32)? {
    var bytes = [UInt8](repeating: 0, count: 8)
    guard fseek(file, offset, SEEK_SET) == 0, fread(&bytes, 1, 8, file) == 8 else { return nil }
    return (Array(bytes[..<4]), bytes[4...].reduce(0) { $0 << 8 | UInt32($1) })
  }
  guard let form = header(at: 0) else { return nil }
  let isBig = form.name == Array("FORM".utf8) || form.name == Array("RIFX".utf8)
  var at = 12
  while let chunk = header(at: at) {
    let length = Int(isBig ? chunk.value : chunk.value.byteSwapped)
    if chunk.name == Array("data".utf8) || chunk.name == Array("SSND".utf8) {
      // Writers that did not know the length left 0 or a number near the largest.
      let isKnown = length > 0 && length < 0x7FFF_0000
      return isKnown && at + 8 + length > size ? "\(size - at - 8) of \(length) bytes of samples are there" : nil
    }
    at += 8 + length + length % 2
  }
  return nil
}

/// Whether the last page of an Ogg file is whole and marked as the end of its stream.
private func oggHasEnd(_ path: String) throws(MediaError) -> Bool {
  let size = try fileSize(path)
  // A page has at most 65,307 bytes.
  let count = min(size, 65_307)
  guard let file = fopen(path, "rb") else { return false }
  defer { fclose(file) }
  var tail = [UInt8](repeating: 0, count: count)
  guard fseek(file, size - count, SEEK_SET) == 0, fread(&tail, 1, count, file) == count else { return false }
  let mark = Array("OggS".utf8)
  var at = count - 27
  while at >= 0 {
    if tail[at] == mark[0], Array(tail[at..<(at + 4)]) == mark {
      let segments = Int(tail[at + 26])
      guard at + 27 + segments <= count else { return false }
      let body = tail[(at + 27)..<(at + 27 + segments)].reduce(0) { $0 + Int($1) }
      return tail[at + 5] & 4 != 0 && at + 27 + segments + body <= count
    }
    at -= 1
  }
  return false
}
