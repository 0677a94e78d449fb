package schemas

import (
	"encoding/binary"
	"math"
)

// An invite code is the Crockford base32 of
//
//	version (1 byte) | key id (1 byte) | campaign | chain | inviter | expiry | MAC (10 bytes)
//
// campaign, chain and inviter 1..2^63-1 and expiry (Unix seconds, 1..2^63-1) as uvarints in their
// shortest form; MAC = the first 10 bytes of HMAC-SHA-256 (RFC 2104) under the key over all before
// it. 80 bits that cannot be tried offline are enough: a guess costs an event.
const (
	codeVersion  = 1
	codeMACBytes = 10

	maxCodeBytes = 2 + 4*9 + codeMACBytes // a uvarint of 63 bits has at most 9 bytes
	maxCodeText  = (maxCodeBytes*8 + 4) / 5
)

// appendCodeBody appends what the MAC covers.
func appendCodeBody(dst []byte, keyID uint8, c *Code) []byte {
	dst = append(dst, codeVersion, keyID)
	for _, v := range [...]int64{c.Campaign, c.Chain, c.Inviter, c.ExpiresS} {
		dst = binary.AppendUvarint(dst, uint64(v)) //nolint:gosec // a negative one makes a code that is malformed
	}
	return dst
}

// parseCode reads the bytes of a code into c and says where its MAC begins.
func parseCode(b []byte, c *Code) (macAt int, ok bool) {
	macAt = len(b) - codeMACBytes
	if macAt < 2 || b[0] != codeVersion {
		return 0, false
	}
	c.KeyID = b[1]
	body := b[2:macAt]
	for _, field := range [...]*int64{&c.Campaign, &c.Chain, &c.Inviter, &c.ExpiresS} {
		v, n := binary.Uvarint(body)
		if n < 1 || v < 1 || v > math.MaxInt64 || n > 1 && body[n-1] == 0 {
			return 0, false // cut short, out of range, or not the shortest form
		}
		*field, body = int64(v), body[n:]
	}
	return macAt, len(body) == 0
}
