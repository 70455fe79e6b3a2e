package main

import "regexp"

// secretText finds what must not go into a bundle: passwords in URLs, and values of keys that sound like secrets. What
// the API gives is masked there already; this is for what other tools say.
var secretText = regexp.MustCompile(`(?i)(://[^/\s:@]*:)[^@\s/]+(@)|((?:passw(?:or)?d|passphrase|secret|token|api_?key|credential)s?"?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;}\]]+)`)

func redactText(raw []byte) []byte {
	return secretText.ReplaceAllFunc(raw, func(m []byte) []byte {
		x := secretText.FindSubmatch(m)
		if len(x[1]) > 0 {
			return append(append(append([]byte{}, x[1]...), "***"...), x[2]...)
		}
		return append(append([]byte{}, x[3]...), "***"...)
	})
}
