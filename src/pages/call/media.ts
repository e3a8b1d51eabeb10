/** What this window sends: a camera and a microphone where there are any, else a picture that moves. */

export interface Media {
  readonly stream: MediaStream
  /** What is missing, in words; empty where nothing is. */
  readonly words: string
}

const PICTURE = { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { ideal: 24 } }

/** `hue`: the colour of a drawing, at each moment. */
export async function openMedia(hue: () => number): Promise<Media> {
  // Undefined on a page that came neither from this machine nor by HTTPS.
  const devices = navigator.mediaDevices as MediaDevices | undefined
  for (const audio of [true, false]) {
    try {
      const stream = await devices?.getUserMedia({ video: PICTURE, audio })
      if (stream !== undefined) return { stream, words: audio ? '' : 'No microphone' }
    } catch (error) {
      // Without a camera there may still be a microphone; denied is denied.
      if ((error as Error).name === 'NotAllowedError') break
    }
  }
  const stream = drawing(hue)
  try {
    const voice = await devices?.getUserMedia({ audio: true })
    for (const track of voice?.getAudioTracks() ?? []) stream.addTrack(track)
  } catch {
    // A picture alone, then.
  }
  return { stream, words: 'No camera: a drawing is sent instead' }
}

/** Waves in a window's own colour, as a video. */
function drawing(hueNow: () => number): MediaStream {
  const canvas = document.createElement('canvas')
  canvas.width = 640
  canvas.height = 360
  const pen = canvas.getContext('2d')!
  const from = performance.now()

  function draw(): void {
    const time = (performance.now() - from) / 1000
    const hue = hueNow()
    const sky = pen.createLinearGradient(0, 0, 0, 360)
    sky.addColorStop(0, `hsl(${hue} 45% 82%)`)
    sky.addColorStop(1, `hsl(${hue} 40% 62%)`)
    pen.fillStyle = sky
    pen.fillRect(0, 0, 640, 360)
    pen.fillStyle = `hsl(${(hue + 40) % 360} 90% 94% / 90%)`
    pen.beginPath()
    pen.arc(480 + 16 * Math.sin(time / 3), 104 + 9 * Math.cos(time / 2), 38, 0, 7)
    pen.fill()
    for (let wave = 0; wave < 5; wave++) {
      pen.fillStyle = `hsl(${hue} ${38 + wave * 4}% ${54 - wave * 8}% / 88%)`
      pen.beginPath()
      pen.moveTo(0, 360)
      for (let x = 0; x <= 640; x += 8) {
        const swell = Math.sin(x / (92 - wave * 9) + time * (0.55 + wave * 0.22) + wave * 1.7)
        const ripple = Math.sin(x / 29 - time * 1.3 + wave)
        pen.lineTo(x, 178 + wave * 36 + swell * (13 + wave * 2) + ripple * 3)
      }
      pen.lineTo(640, 360)
      pen.fill()
    }
  }

  draw()
  // A timer, for frames of animation stop in a window that is behind another one.
  setInterval(draw, 1000 / 20)
  return canvas.captureStream(20)
}
