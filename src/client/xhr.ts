/**
 * fetch, by XMLHttpRequest, where fetch can't give a body piece by piece (React Native, old browsers).
 * Rejected: EventSource. It can send no Authorization, and gives only those events whose names one has
 * listed beforehand, so that an event of an unlisted name would be lost without a word.
 */

/** Characters after which the connection is given up: a request keeps all that it has received. */
const MAX_KEPT = 2 ** 21

/** Whether bodies can be read piece by piece. */
export function canStream(): boolean {
  return typeof ReadableStream === 'function' && 'body' in (globalThis.Response?.prototype ?? {})
}

/** As far as the client uses fetch. */
export const xhrFetch: typeof fetch = (input, init = {}) =>
  new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    xhr.open(init.method ?? 'GET', String(input))
    xhr.withCredentials = init.credentials === 'include'
    new Headers(init.headers).forEach((value, name) => {
      xhr.setRequestHeader(name, value)
    })
    let read = 0
    let error: Error | undefined
    let wake = () => {}
    const encoder = new TextEncoder()
    const fail = (why: string) => {
      error ??= new TypeError(why)
      reject(error)
      wake()
    }
    const abort = () => {
      fail('aborted')
      xhr.abort()
    }
    init.signal?.addEventListener('abort', abort)
    xhr.onerror = () => fail('the connection failed')
    xhr.onprogress = () => wake()
    xhr.onloadend = () => {
      init.signal?.removeEventListener('abort', abort)
      wake()
    }
    async function next(): Promise<ReadableStreamReadResult<Uint8Array>> {
      while (read === xhr.responseText.length) {
        if (error) throw error
        if (xhr.readyState === XMLHttpRequest.DONE) return { done: true, value: undefined }
        if (read > MAX_KEPT) {
          xhr.abort()
          return { done: true, value: undefined }
        }
        await new Promise<void>((resume) => {
          wake = resume
        })
      }
      const text = xhr.responseText.slice(read)
      read += text.length
      return { done: false, value: encoder.encode(text) }
    }
    async function text(): Promise<string> {
      while (!(await next()).done);
      return xhr.responseText
    }
    xhr.onreadystatechange = () => {
      if (xhr.readyState !== XMLHttpRequest.HEADERS_RECEIVED) return
      const { status, statusText } = xhr
      const body = { getReader: () => ({ read: next }), cancel: async () => xhr.abort() }
      const headers = { get: (name: string) => xhr.getResponseHeader(name) }
      const ok = status >= 200 && status < 300
      const json = async () => JSON.parse(await text())
      resolve({ ok, status, statusText, headers, body, text, json } as unknown as Response)
    }
    xhr.send((init.body as string | undefined) ?? null)
  })
