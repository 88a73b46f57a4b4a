internal import Files
internal import Foundation
internal import Media

/// Looks at one sample's files: whether they are there, how large, which streams they have, and their hash.
enum SampleProbe {
  static func examine(_ sample: Sample, _ roots: DataRoots, _ options: ScanOptions) -> Sample {
    var sample = sample
    sample.problem = nil
    do {
      var found: Modalities = []
      var bytes = 0
      var contents: [FileContent] = []
      for path in sample.paths {
        do {
          let size = try size(of: roots.folder(of: sample.root).path + "/" + path)
          bytes += size
          guard options.probesContent || options.hashesContent else { continue }
          let url = roots.url(sample, path)
          if options.probesContent {
            let facts = try Media.facts(of: url)
            if options.decodesContent { try decode(url, facts) }
            try require(facts, path, sample)
            found.formUnion(facts.modalities)
          }
          if options.hashesContent { contents.append(FileContent(sha256: try Files.sha256(of: url), bytes: size)) }
        } catch { throw reason(error, path, sample) }
      }
      sample.bytes = bytes
      if options.hashesContent {
        sample.sha256 =
          contents.count == 1 ? contents[0].sha256 : Files.sha256(contents.map(\.sha256).joined(separator: "\n"))
        sample.contents = contents.count == 1 ? [] : contents
      }
      if options.probesContent { sample.modalities = found }
      if sample.modalities.isEmpty { sample.problem = "no file that Unmask reads, by its name" }
    } catch { sample.problem = "\(error)" }
    return sample
  }

  private static func size(of path: String) throws -> Int {
    var facts = stat()
    guard stat(path, &facts) == 0 else {
      throw Reason(errno == ENOENT ? "the file is missing" : String(cString: strerror(errno)))
    }
    guard facts.st_mode & S_IFMT == S_IFREG else { throw Reason("not a regular file") }
    guard facts.st_size > 0 else { throw Reason("the file is empty") }
    return Int(facts.st_size)
  }

  // A stream that a column names must be in its file.
  private static func require(_ facts: MediaFacts, _ path: String, _ sample: Sample) throws {
    for (stream, modality) in [
      (sample.imagePath, Modality.image), (sample.audioPath, .audio), (sample.videoPath, .video),
    ] where stream == path && !facts.modalities.contains(Modalities(modality)) {
      throw Reason("there is no \(modality.rawValue) in it")
    }
  }

  private static func decode(_ url: URL, _ facts: MediaFacts) throws {
    if facts.modalities.contains(.video) {
      _ = try Media.frames(of: url, count: 8, fit: .original)
      if facts.hasAudio { _ = try Media.sound(at: url) }
    } else if facts.hasAudio {
      _ = try Media.sound(at: url)
    } else {
      _ = try Media.image(at: url)
    }
  }

  // Without the sample's own path, so that equal reasons can be counted; another stream is named.
  private static func reason(_ error: any Error, _ path: String, _ sample: Sample) -> Reason {
    let text =
      (error as? MediaError)?.reason ?? (error as? FileProblem)?.reason ?? (error as? Reason)?.description ?? "\(error)"
    guard path != sample.id else { return Reason(text) }
    let stream = path == sample.imagePath ? "image" : path == sample.audioPath ? "audio" : "video"
    return Reason("\(stream) stream: \(text)")
  }

  private struct Reason: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }
}

extension MediaFacts {
  /// What the file offers to models.
  var modalities: Modalities {
    switch kind {
    case .image: return .image
    case .sound: return .audio
    case .video: return Modalities(hasVideo ? [.image, .video] : []).union(hasAudio ? .audio : [])
    }
  }
}
