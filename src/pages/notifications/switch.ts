/** The proxies to choose from, as radio buttons. */
import { make } from '../shared/dom.js'
import { type Badness, IDLE_MS } from './proxy.js'

export interface Choice {
  readonly badness: Badness
  readonly title: string
  readonly about: string
  /** On the picture of the way. */
  readonly short: string
}

const CHOICES: readonly Choice[] = [
  {
    badness: 'none',
    title: 'None',
    about: 'One stream, as it is.',
    short: 'nothing in between',
  },
  {
    badness: 'holds-body',
    title: 'Holds the whole body',
    about: 'Buffers: an answer leaves when it is complete, and a stream never is.',
    short: 'holds the body',
  },
  {
    badness: 'holds-last',
    title: 'Holds the last message',
    about: 'A scanner: what came last leaves when something comes after it.',
    short: 'holds the last one',
  },
  {
    badness: 'cuts-idle',
    title: 'Cuts idle connections',
    about: `After ${IDLE_MS / 1000} s without a byte. The stream comes back and goes on.`,
    short: 'cuts what is idle',
  },
  {
    badness: 'answers-502',
    title: 'Answers 502',
    about: 'Has lost its gateway. What you send waits.',
    short: '502 Bad Gateway',
  },
]

export const choiceOf = (badness: Badness): Choice =>
  CHOICES.find((choice) => choice.badness === badness) ?? CHOICES[0]!

/** `chosen`: at first. */
export function createSwitch(
  fieldset: HTMLElement,
  chosen: Badness,
  onTurn: (choice: Choice) => void,
): void {
  for (const choice of CHOICES) {
    const radio = make('input', { type: 'radio', name: 'badness', value: choice.badness })
    radio.checked = choice.badness === chosen
    // Else a browser restores it, of whichever tab that was.
    radio.autocomplete = 'off'
    radio.addEventListener('change', () => onTurn(choice))
    const label = make(
      'label',
      {},
      radio,
      make('span', { className: 'title', textContent: choice.title }),
      make('span', { className: 'about', textContent: choice.about }),
    )
    fieldset.append(label)
  }
}
