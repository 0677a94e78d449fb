package schemas

import "crypto/subtle"

// coupon.commands is open to other services, and hongbao issues what it finds there. So a command that names a
// fact is signed by hongbao, with the keys of invite codes:
//
//	key id (1 byte) | MAC (10 bytes)
//
// MAC = the first 10 bytes of HMAC-SHA-256 under the key over commandMACFirst, the key id, and the command as
// AppendCommand writes it without its MAC. The signature is no part of a fact: it is looked at once, when a command
// is new, and what it said stands in the coupon or the dead letter that follows.

// commandMACFirst keeps commands and codes apart, which begin with codeVersion.
const commandMACFirst = 0xc0

// CommandSigner signs hongbao's own commands without allocating. It is not safe for concurrent use.
type CommandSigner struct {
	key verifyKey
	buf []byte
	mac []byte
}

// NewCommandSigner makes a signer with the minting key of k.
func NewCommandSigner(k *CodeKeys) *CommandSigner {
	key := &k.keys[k.mint]
	return &CommandSigner{key: verifyKey{id: key.id, mac: newCodeMAC(key.secret)}}
}

// Sign sets c.MAC, which is valid until the next call.
func (s *CommandSigner) Sign(c *Command) {
	s.buf = appendSigned(s.buf[:0], s.key.id, c)
	s.mac = append(append(s.mac[:0], s.key.id), s.key.mac.of(s.buf)...)
	c.MAC = s.mac
}

// appendSigned appends what the MAC covers.
func appendSigned(dst []byte, keyID uint8, c *Command) []byte {
	mac := c.MAC
	c.MAC = nil
	dst = AppendCommand(append(dst, commandMACFirst, keyID), c)
	c.MAC = mac
	return dst
}

// CommandVerifier verifies signatures of commands under every live key. It is not safe for concurrent use.
type CommandVerifier struct {
	keys []verifyKey
	buf  []byte
}

// NewCommandVerifier makes a verifier for every key of k.
func NewCommandVerifier(k *CodeKeys) *CommandVerifier {
	v := new(CommandVerifier)
	for _, key := range k.keys {
		v.keys = append(v.keys, verifyKey{id: key.id, mac: newCodeMAC(key.secret)})
	}
	return v
}

// Verify says of a command that was decoded whether hongbao signed it: CodeMissing is no signature or one under a
// key that is not live, CodeForged one that is wrong under its key.
func (v *CommandVerifier) Verify(c *Command) CodeStatus {
	if len(c.MAC) == 0 {
		return CodeMissing
	}
	for i := range v.keys {
		key := &v.keys[i]
		if key.id != c.MAC[0] {
			continue
		}
		v.buf = appendSigned(v.buf[:0], key.id, c)
		if subtle.ConstantTimeCompare(key.mac.of(v.buf), c.MAC[1:]) == 1 {
			return CodeGood
		}
		return CodeForged
	}
	return CodeMissing
}
