import Foundation
import Testing

@testable import Datasets

/// Miniature trees with label lines in the official syntax.
@Suite struct `official layouts` {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func read(_ layout: String) throws -> [String: Sample] {
    let data = try Dataset(reading: DataSource(name: "d", layout: layout, path: folder.url.path))
    return Dictionary(uniqueKeysWithValues: data.samples.map { ($0.id, $0) })
  }

  private func recognised() throws -> String { try DatasetLayouts.named("auto", at: folder.url).name }

  private func message(_ layout: String) -> String {
    do {
      _ = try read(layout)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func `names are unique and described`() {
    #expect(Set(DatasetLayouts.all.map(\.name)).count == DatasetLayouts.all.count)
    for layout in DatasetLayouts.official {
      #expect(!layout.description.what.isEmpty && !layout.description.layout.isEmpty, "\(layout.name)")
      #expect(message(layout.name).contains(folder.url.path), "\(layout.name) does not say what is missing")
    }
  }

  @Test func `ASVspoof 2019`() throws {
    try folder.write(
      "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.train.trn.txt",
      "LA_0079 LA_T_1138215 - - bonafide\nLA_0081 LA_T_1000000 - A03 spoof\r\n")
    try folder.write(
      "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.eval.trl.txt", "LA_0039 LA_E_2834763 - A11 spoof")
    let samples = try read("asvspoof2019-la")
    #expect(try recognised() == "asvspoof2019-la" && samples.count == 3)
    let real = try #require(samples["LA/ASVspoof2019_LA_train/flac/LA_T_1138215.flac"])
    let fake = try #require(samples["LA/ASVspoof2019_LA_eval/flac/LA_E_2834763.flac"])
    #expect(real.label == .real && real.identity == "@asvspoof/LA_0079" && real.type == "" && real.split == "train")
    #expect(fake.label == .fake && fake.type == "A11" && fake.split == "test" && fake.modalities == .audio)
    try folder.write(
      "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.dev.trl.txt", "a b - - bonafide\nc d - A01 1\n")
    #expect(message("asvspoof2019-la").contains("dev.trl.txt:2: \"1\" is not a label"))
    try folder.write("LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.dev.trl.txt", "a b - -\n")
    #expect(message("asvspoof2019-la").contains("dev.trl.txt:1: the line has 4 words, not 5"))
  }

  @Test func `ASVspoof 2021`() throws {
    try folder.write(
      "keys/LA/CM/trial_metadata.txt",
      "LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval\nLA_0010 LA_E_1 none loc_tx - bonafide trim hidden\n")
    try folder.write(
      "keys/DF/CM/trial_metadata.txt",
      "TEF2 DF_E_2000013 low_m4a vcc2020 Task1-team20 spoof notrim eval neural_vocoder_nonautoregressive Task1 team20 FF E\n"
    )
    let spoken = try read("asvspoof2021-la")
    let fake = try #require(spoken["ASVspoof2021_LA_eval/flac/LA_E_9332881.flac"])
    #expect(
      fake.label == .fake && fake.type == "A07" && fake.split == "eval" && fake.extra == ["alaw", "ita_tx", "notrim"])
    #expect(spoken["ASVspoof2021_LA_eval/flac/LA_E_1.flac"]?.label == .real)
    let deep = try #require(try read("asvspoof2021-df")["ASVspoof2021_DF_eval/flac/DF_E_2000013.flac"])
    #expect(deep.type == "Task1-team20" && deep.extra[3] == "neural_vocoder_nonautoregressive")
  }

  @Test func `ASVspoof 5 keeps its first line`() throws {
    try folder.write(
      "ASVspoof5.dev.track_1.tsv",
      "D_4461 D_0000000169 F - - - AC1 A14 spoof -\nD_0461 D_0000000190 M - - - - bonafide bonafide -\n")
    let samples = try read("asvspoof5")
    #expect(try recognised() == "asvspoof5" && samples.count == 2)
    #expect(samples["flac_D/D_0000000169.flac"]?.type == "A14" && samples["flac_D/D_0000000190.flac"]?.label == .real)
    #expect(samples["flac_D/D_0000000190.flac"]?.split == "validation")
  }

  @Test func `In-the-Wild writes bona-fide with a hyphen`() throws {
    try folder.write(
      "release_in_the_wild/meta.csv", "file,speaker,label\n0.wav,Alec Guinness,spoof\n1.wav,Bill Clinton,bona-fide\n")
    let samples = try read("in-the-wild")
    #expect(try recognised() == "in-the-wild" && samples["release_in_the_wild/0.wav"]?.identity == "Alec Guinness")
    #expect(
      samples["release_in_the_wild/1.wav"]?.label == .real && samples["release_in_the_wild/0.wav"]?.label == .fake)
  }

  @Test func `WaveFake's sentences tie folders together`() throws {
    for path in [
      "generated_audio/ljspeech_melgan/LJ001-0001_gen.wav", "generated_audio/ljspeech_hifiGAN/LJ001-0001_generated.wav",
      "LJSpeech-1.1/wavs/LJ001-0001.wav", "generated_audio/jsut_multi_band_melgan/BASIC5000_0001_gen.wav",
    ] { try folder.write(path) }
    let samples = try read("wavefake")
    #expect(samples.values.count { $0.source == "ljspeech/LJ001-0001" } == 3 && samples.count == 4)
    #expect(samples["LJSpeech-1.1/wavs/LJ001-0001.wav"]?.label == .real)
    #expect(samples["generated_audio/ljspeech_melgan/LJ001-0001_gen.wav"]?.type == "ljspeech_melgan")
    #expect(try SampleGroups(Dataset(samples: Array(samples.values)), rule: "auto").count == 2)
  }

  @Test func `Fake-or-Real's versions are the same recordings`() throws {
    for version in ["for-norm", "for-2seconds"] {
      try folder.write("\(version)/training/real/file7.wav_16k.wav_\(version).wav")
      try folder.write("\(version)/testing/fake/file7.mp3.wav")
    }
    let samples = try read("fake-or-real")
    #expect(samples.count == 4 && samples.values.count { $0.label == .fake && $0.split == "test" } == 2)
    #expect(
      try SampleGroups(Dataset(samples: Array(samples.values), extraColumns: ["version"]), rule: "auto").count == 2)
  }

  @Test func `FaceForensics keeps pairs together and reads the parts`() throws {
    for path in [
      "original_sequences/youtube/c23/videos/071.mp4", "original_sequences/youtube/c40/videos/054.mp4",
      "manipulated_sequences/Deepfakes/c23/videos/071_054.mp4", "manipulated_sequences/FaceSwap/raw/videos/953_974.mp4",
      "original_sequences/actors/c23/videos/01__walking.mp4",
      "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walking__ABCDEFGH.mp4",
      "manipulated_sequences/Deepfakes/masks/videos/071_054.mp4",
    ] { try folder.write(path) }
    try folder.write("splits/train.json", #"[["071","054"],["087","081"]]"#)
    try folder.write("splits/test.json", #"[["953","974"]]"#)
    let samples = try read("faceforensics")
    #expect(samples["manipulated_sequences/Deepfakes/masks/videos/071_054.mp4"] == nil && samples.count == 6)
    let fake = try #require(samples["manipulated_sequences/Deepfakes/c23/videos/071_054.mp4"])
    #expect(
      fake.identity == "@faceforensics/071" && fake.source == "@faceforensics/054" && fake.split == "train"
        && fake.type == "Deepfakes")
    #expect(
      samples["manipulated_sequences/FaceSwap/raw/videos/953_974.mp4"]?.split == "test"
        && fake.extra == ["c23", "Deepfakes"])
    #expect(samples["original_sequences/youtube/c40/videos/054.mp4"]?.label == .real)
    let actor = try #require(samples["manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walking__ABCDEFGH.mp4"])
    #expect(
      actor.identity == "@faceforensics/actor-01" && actor.source == "@faceforensics/actor-02" && actor.split == nil)
    let groups = try SampleGroups(Dataset(samples: Array(samples.values), extraColumns: ["c", "s"]), rule: "auto")
    #expect(groups.count == 3)  // the pair 071 and 054, the pair 953 and 974, the actors
    try folder.write("splits/val.json", #"[["071","720"]]"#)
    #expect(message("faceforensics").contains("video 071 is in two parts"))
  }

  @Test func `Celeb-DF's list calls real 1, and missing test videos stay listed`() throws {
    for path in ["Celeb-real/id1_0007.mp4", "YouTube-real/00001.mp4", "Celeb-synthesis/id1_id5_0008.mp4"] {
      try folder.write(path)
    }
    try folder.write(
      "List_of_testing_videos.txt",
      "1 YouTube-real/00170.mp4\n1 Celeb-real/id1_0007.mp4\n0 Celeb-synthesis/id1_id5_0008.mp4")
    let samples = try read("celeb-df")
    #expect(try recognised() == "celeb-df" && samples.count == 4)
    #expect(samples["YouTube-real/00170.mp4"]?.split == "test" && samples["YouTube-real/00001.mp4"]?.split == "train")
    let fake = try #require(samples["Celeb-synthesis/id1_id5_0008.mp4"])
    #expect(fake.identity == "id1" && fake.source == "id5" && fake.label == .fake)
    try folder.write("List_of_testing_videos.txt", "0 Celeb-real/id1_0007.mp4\n")
    #expect(message("celeb-df").contains(":1: Celeb-real/id1_0007.mp4 is marked 0; in the official list 1 means real"))
  }

  @Test func `DFDC's fakes go with their original`() throws {
    try folder.write(
      "dfdc_train_part_0/metadata.json",
      #"{"a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"}, "b.mp4": {"label":"REAL","split":"train","original":null}, "c.mp4": {"label":"REAL","split":"train"}}"#
    )
    try folder.write("test/labels.csv", "filename,label\nx.mp4,1\ny.mp4,0\n")
    let samples = try read("dfdc")
    #expect(
      try recognised() == "dfdc" && samples["test/x.mp4"]?.label == .fake && samples["test/y.mp4"]?.label == .real)
    #expect(samples["dfdc_train_part_0/a.mp4"]?.source == "b.mp4" && samples["dfdc_train_part_0/a.mp4"]?.label == .fake)
    let columns = ["part", "augmenter", "distractor"]
    #expect(try SampleGroups(Dataset(samples: Array(samples.values), extraColumns: columns), rule: "auto").count == 4)
    try FileManager.default.removeItem(at: folder.url.appendingPathComponent("test/labels.csv"))
    try folder.write(
      "test/metadata.json",
      #"{"z.mp4": {"augmentations": {"augmenter": {"rotate": {"angle": 3}, "blur": {}}, "distractor": {}}, "is_fake": 1}}"#
    )
    let changed = try #require(try read("dfdc")["test/z.mp4"])
    #expect(changed.label == .fake && changed.extra == ["", "blur;rotate", ""])
  }

  @Test func `DeeperForensics has no real class of its own`() throws {
    try folder.write("manipulated_videos/end_to_end/000_M101.mp4")
    try folder.write("source_videos/M101/a.mp4")
    try folder.write("lists/splits/test.txt", "000_M101.mp4\n")
    let data = try Dataset(reading: DataSource(name: "d", layout: "deeperforensics", path: folder.url.path))
    #expect(data.samples.count == 1 && data.samples[0].split == "test" && data.samples[0].extra == ["end_to_end"])
    #expect(throws: DatasetError.self) { try data.requireTwoClasses() }
  }

  @Test func `WildDeepfake's archives are groups`() throws {
    try folder.write("real_train/12/real/3/0001.png")
    try folder.write("fake_test/7/fake/1/0001.png")
    let samples = try read("wilddeepfake")
    #expect(samples["real_train/12/real/3/0001.png"]?.group == "real_train/12")
    #expect(samples["fake_test/7/fake/1/0001.png"]?.split == "test")
    try FileManager.default.removeItem(at: folder.url.appendingPathComponent("real_train"))
    try FileManager.default.removeItem(at: folder.url.appendingPathComponent("fake_test"))
    try folder.write("real_train/12.tar.gz")
    #expect(message("wilddeepfake").contains("unpack them in place"))
  }

  @Test func `140k faces are read by word, not by number`() throws {
    try folder.write(
      "train.csv",
      ",original_path,id,label,label_str,path\n0,/kaggle/x.png,31355,1,real,train/real/31355.jpg\n1,/y.jpg,02L,0,fake,train/fake/02L.jpg\n"
    )
    try folder.write("real_vs_fake/real-vs-fake/test/fake/A1.jpg")
    let samples = try read("140k-faces")
    let base = "real_vs_fake/real-vs-fake/"
    #expect(
      samples[base + "train/real/31355.jpg"]?.label == .real && samples[base + "train/fake/02L.jpg"]?.label == .fake)
    #expect(
      samples[base + "test/fake/A1.jpg"]?.split == "test" && samples[base + "test/fake/A1.jpg"]?.type == "stylegan")
    try folder.write("train.csv", ",original_path,id,label,label_str,path\n0,x,1,0,fake,train/real/1.jpg\n")
    #expect(message("140k-faces").contains("train.csv:2: label_str is fake, but the path is train/real/1.jpg"))
    try folder.write("train.csv", ",original_path,id,label,label_str,path\n0,x,1,1,fake,train/fake/1.jpg\n")
    #expect(message("140k-faces").contains("label_str is fake, but label is 1; in this set 1 means real"))
  }

  @Test func `CIFAKE's classes are in brackets`() throws {
    for path in ["train/REAL/0000.jpg", "train/FAKE/0000 (2).jpg", "test/FAKE/12 (10).jpg"] { try folder.write(path) }
    let samples = try read("cifake")
    #expect(samples["train/REAL/0000.jpg"]?.label == .real && samples["train/REAL/0000.jpg"]?.extra == ["1"])
    #expect(samples["train/FAKE/0000 (2).jpg"]?.extra == ["2"] && samples["test/FAKE/12 (10).jpg"]?.extra == ["10"])
  }

  @Test func `FakeAVCeleb labels sound and picture apart and ties identities`() throws {
    let real = "RealVideo-RealAudio/African/men/id00076/00109.mp4"
    let fake = "FakeVideo-FakeAudio/African/men/id00003/00003_4_id10001_wavtolip.mp4"
    let east = "RealVideo-FakeAudio/Asian_East/women/id05620/00005_fake.mp4"
    for path in [real, fake, east] { try folder.write("FakeAVCeleb/" + path) }
    try folder.write(
      "FakeAVCeleb/meta_data.csv",
      """
      source,target1,target2,method,category,type,race,gender,path,
      id00076,-,-,real,A,RealVideo-RealAudio,African,men,00109.mp4,FakeAVCeleb/RealVideo-RealAudio/African/men/id00076
      id00003,id10001,4,wav2lip,D,FakeVideo-FakeAudio,African,men,00003_4_id10001_wavtolip.mp4,FakeAVCeleb/FakeVideo-FakeAudio/African/men/id00003
      id05620,-,-,rtvc,B,RealVideo-FakeAudio,Asian (East),women,00005_fake.mp4,FakeAVCeleb/RealVideo-FakeAudio/Asian (East)/women/id05620

      """)
    let samples = try read("fakeavceleb")
    #expect(try recognised() == "fakeavceleb" && samples.count == 3)
    let both = try #require(samples["FakeAVCeleb/" + fake])
    #expect(both.identity == "@voxceleb2/id00003" && both.source == "@voxceleb2/id10001" && both.type == "wav2lip")
    #expect(both.audioLabel == .fake && both.visualLabel == .fake)
    let voice = try #require(samples["FakeAVCeleb/" + east])
    #expect(voice.label == .fake && voice.audioLabel == .fake && voice.visualLabel == .real)
    #expect(samples["FakeAVCeleb/" + real]?.label == .real && voice.extra[1] == "Asian_East")
    try FileManager.default.removeItem(at: folder.url.appendingPathComponent("FakeAVCeleb/meta_data.csv"))
    #expect(try read("fakeavceleb")["FakeAVCeleb/" + fake]?.source == "@voxceleb2/id10001")
  }

  @Test func `LAV-DF's periods are seconds`() throws {
    try folder.write(
      "metadata.json",
      #"""
      [{"file": "test/000001.mp4", "n_fakes": 0, "fake_periods": [], "timestamps": [["not", 0.0, 0.2]], "duration": 4.224, "transcript": "x", "original": null, "modify_video": false, "modify_audio": false, "split": "test", "video_frames": 103, "audio_channels": 1, "audio_frames": 65536},
       {"file": "dev/000002.mp4", "n_fakes": 1, "fake_periods": [[1.5, 2.25]], "duration": 4.2, "original": "test/000001.mp4", "modify_video": false, "modify_audio": true, "split": "dev"}]
      """#)
    let samples = try read("lav-df")
    let fake = try #require(samples["dev/000002.mp4"])
    #expect(
      fake.intervals == [FakeInterval(start: 1.5, end: 2.25)] && fake.type == "audio" && fake.split == "validation")
    #expect(fake.audioLabel == .fake && fake.visualLabel == .real && fake.source == samples["test/000001.mp4"]?.source)
    try folder.write("metadata.json", #"[{"file": "a.mp4", "modify_video": true, "modify_audio": false}]"#)
    #expect(message("lav-df").contains("metadata.json: the JSON is not as published at 0 \"fake_periods\""))
  }

  @Test func `AV-Deepfake1M spells both-modified in two ways`() throws {
    try folder.write(
      "val_metadata.json",
      #"""
      [{"file": "id00012/abc/00130/real.mp4", "original": null, "split": "val", "modify_type": "real", "fake_segments": []},
       {"file": "id00012/abc/00130/fake_video_fake_audio.mp4", "original": "id00012/abc/00130/real.mp4", "split": "val", "modify_type": "both-modified", "audio_model": "vits", "fake_segments": [[0.5, 0.9]], "audio_fake_segments": [[0.5, 0.9]], "visual_fake_segments": [[0.5, 0.8], [1, 1.5]]},
       {"file": "id00017/x/00001/real_video_fake_audio.mp4", "original": null, "split": "val", "modify_type": "audio_modified"}]
      """#)
    let samples = try read("av-deepfake1m")
    let both = try #require(samples["val/id00012/abc/00130/fake_video_fake_audio.mp4"])
    #expect(both.audioLabel == .fake && both.visualLabel == .fake && both.type == "both_modified")
    #expect(
      both.identity == "@voxceleb2/id00012" && both.extra == ["vits", "1M", "0.5-0.9", "0.5-0.8;1.0-1.5"]
        && both.intervals.count == 1
        && both.split == "validation")
    #expect(samples["val/id00017/x/00001/real_video_fake_audio.mp4"]?.visualLabel == .real)
  }
}
