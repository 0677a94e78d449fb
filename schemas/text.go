package schemas

import "strings"

// ShortText makes a message field of a text that came from elsewhere, an issuer's error or an
// operator's note: UTF-8, as a proto3 string must be, and at most MaxStringBytes long.
func ShortText(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= MaxStringBytes {
		return text
	}
	const more = "..."
	return strings.ToValidUTF8(text[:MaxStringBytes-len(more)], "") + more
}

// isName says that text can name a coupon kind or a rule: 1..64 of A-Z a-z 0-9 _ - . so that names
// stand unescaped in keys of Redis and in metrics.
func isName(text string) bool {
	if len(text) < 1 || len(text) > maxNameBytes {
		return false
	}
	for _, c := range []byte(text) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

const maxNameBytes = 64

// nameRule is isName in words, for sentences.
const nameRule = "1..64 of A-Z a-z 0-9 _ - ."
