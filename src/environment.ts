/** Secrets that a configuration names rather than holds. */

export type Environment = Readonly<Record<string, string | undefined>>

export type Expanded =
  | { readonly text: string }
  /** The variable isn't set, or empty. */
  | { readonly missing: string }
  /** There is a `$` that names none. */
  | 'odd'

/** Puts variables in their places: `$NAME` or `${NAME}`; `$$` is a dollar. */
export function expandVariables(text: string, env: Environment): Expanded {
  let fault: Expanded | undefined
  const expanded = text.replace(
    /\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\}|)/g,
    (found: string, plain?: string, braced?: string) => {
      if (found === '$$') return '$'
      const variable = plain ?? braced
      const value =
        variable !== undefined && Object.hasOwn(env, variable) ? env[variable] : undefined
      if (value) return value
      fault ??= variable === undefined ? 'odd' : { missing: variable }
      return ''
    },
  )
  return fault ?? { text: expanded }
}
