"""Makes Tests/Fixtures/media/containers: one moving picture in many containers, codecs and colour formats.

usage: python3 Scripts/parity/media_containers.py        (needs av and numpy)
Every file has 30 frames at 25 a second, 64x48, the whole frame of one colour that changes from frame to frame:
red 60 + 5 i, green 200 - 4 i, blue 90, but for a white square in a corner. Files with sound have a 440 Hz tone.
"""
import fractions, json, pathlib
import av, numpy as np

out = pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/media/containers"
out.mkdir(parents=True, exist_ok=True)
FRAMES, RATE, WIDTH, HEIGHT = 30, 25, 64, 48


def picture(i):
    p = np.full((HEIGHT, WIDTH, 3), (60 + 5 * i, 200 - 4 * i, 90), np.uint8)
    p[2:10, 2:10] = 255
    return p


def write(name, codec, pixels="yuv420p", options={}, sound=None, matrix=None, full=False, times=None, mux={}):
    with av.open(str(out / name), "w", options=mux) as container:
        video = container.add_stream(codec, rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, pixels
        video.options = {"threads": "1", **options}
        base = fractions.Fraction(1, 1000) if times else fractions.Fraction(1, RATE)
        video.codec_context.time_base = base
        spaces = {"bt709": 1, "bt601": 6, None: 2}
        video.codec_context.colorspace = spaces[matrix]
        video.codec_context.color_range = 2 if full else 1
        audio = container.add_stream(sound, rate=44100) if sound else None
        if audio: audio.layout = "mono"
        for i in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace={"bt709": 1, "bt601": 5, None: 5}[matrix],
                                   dst_color_range=2 if full else 1)
            frame.pts, frame.time_base = times[i] if times else i, base
            for packet in video.encode(frame): container.mux(packet)
        for packet in video.encode(): container.mux(packet)
        if audio:
            t = np.arange(44100 * FRAMES // RATE) / 44100
            samples = (0.4 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)[None]
            size = audio.frame_size or 1152
            for k in range(0, samples.shape[1], size):
                part = np.ascontiguousarray(samples[:, k:k + size])
                if not audio.format.name.startswith("flt"):
                    bits = audio.format.bytes * 8
                    part = (part * (2.0 ** (bits - 1) - 1)).astype(f"int{bits}")
                frame = av.AudioFrame.from_ndarray(part, format=audio.format.name, layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 44100, k, fractions.Fraction(1, 44100)
                for packet in audio.encode(frame): container.mux(packet)
            for packet in audio.encode(): container.mux(packet)


changing = [int(40 * i + 15 * np.sin(i)) + 15 for i in range(FRAMES)]
x264 = {"x264-params": "keyint=12:bframes=3:scenecut=0", "crf": "12"}
write("h264_bt601.mp4", "libx264", options=x264, matrix="bt601")
write("h264_bt709_full.mp4", "libx264", options=x264, matrix="bt709", full=True, sound="aac")
write("h264_444_10bit.mkv", "libx264", "yuv444p10le", options=x264, matrix="bt709")
write("h264_open.ts", "libx264", options={"x264-params": "keyint=12:bframes=3:open-gop=1:scenecut=0", "crf": "12"}, matrix="bt709", sound="aac")
write("h264_fragments.mp4", "libx264", options=x264, mux={"movflags": "frag_keyframe+empty_moov"}, matrix="bt709")
write("h264_varying.mkv", "libx264", options=x264, matrix="bt709", times=changing)
write("mpeg4.avi", "mpeg4", options={"qscale": "2", "bf": "2", "flags": "+qscale"}, sound="mp3")
write("mpeg2.mpg", "mpeg2video", options={"qscale": "2", "bf": "2", "flags": "+qscale"}, sound="mp2")
write("vp8.webm", "libvpx", options={"crf": "4", "b": "1M", "auto-alt-ref": "1", "lag-in-frames": "10"}, matrix="bt601")
write("vp9.webm", "libvpx-vp9", options={"crf": "4", "b": "1M", "auto-alt-ref": "1", "lag-in-frames": "10"}, matrix="bt709")
write("mjpeg.mov", "mjpeg", "yuvj422p", options={"qscale": "2", "flags": "+qscale"}, full=True, matrix="bt601")
write("rgb.avi", "png", "rgb24")

files = [{"file": path.name, "sound": path.name in ("h264_bt709_full.mp4", "h264_open.ts", "mpeg4.avi", "mpeg2.mpg"),
          "times": [(t - changing[0]) / 1000 for t in changing] if "varying" in path.name else [i / RATE for i in range(FRAMES)]}
         for path in sorted(out.iterdir()) if path.suffix != ".json"]
(out / "containers.json").write_text(json.dumps({"about": f"PyAV {av.__version__}", "files": files}, indent=1) + "\n")
