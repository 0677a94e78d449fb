package schemas

import (
	"crypto/subtle"
	"encoding/binary"
)

// codeCacheEntries: 4,096 entries of 128 bytes are half a megabyte per worker:
// joins follow their share closely, and a larger table would miss the processor's cache instead.
const codeCacheEntries = 1 << codeCacheBits

const codeCacheBits = 12

// CodeVerifier verifies codes before any I/O, through a direct-mapped cache of good codes whose
// hits are compared in full. It allocates nothing per code. One per worker: it is not safe for
// concurrent use.
type CodeVerifier struct {
	keys  []verifyKey
	demo  bool
	cache []cachedCode
	buf   []byte
}

type verifyKey struct {
	id  uint8
	mac codeMAC
}

// cachedCode is a code known good: its text as it was given, and what it says.
type cachedCode struct {
	code Code
	size int // of text; 0 is an empty entry
	text [maxCodeText]byte
}

// NewCodeVerifier makes a verifier for every key of k.
func NewCodeVerifier(k *CodeKeys) *CodeVerifier {
	v := &CodeVerifier{
		demo:  k.demo,
		cache: make([]cachedCode, codeCacheEntries),
		buf:   make([]byte, 0, maxCodeBytes),
	}
	for _, key := range k.keys {
		v.keys = append(v.keys, verifyKey{id: key.id, mac: newCodeMAC(key.secret)})
	}
	return v
}

// Verify says what text is and writes into c what it says: of CodeMalformed nothing, of CodeForged
// what a forger wrote. Expiry is not looked at, it is for the event's time to judge. No text at all
// is CodeMalformed.
func (v *CodeVerifier) Verify(text []byte, c *Code) CodeStatus {
	*c = Code{}
	if len(text) > maxCodeText || len(text) < 8 {
		return CodeMalformed
	}
	// The text ends in the MAC, which is as good as random: no hash is needed to spread codes.
	// Whoever forges endings to collide gains a miss, and is not cached.
	tail := binary.LittleEndian.Uint64(text[len(text)-8:])
	entry := &v.cache[tail*0x9e3779b97f4a7c15>>(64-codeCacheBits)]
	if entry.size == len(text) && string(entry.text[:entry.size]) == string(text) {
		*c = entry.code
		return CodeGood
	}
	status := v.verify(text, c)
	if status == CodeGood {
		entry.code, entry.size = *c, copy(entry.text[:], text)
	}
	return status
}

func (v *CodeVerifier) verify(text []byte, c *Code) CodeStatus {
	b, ok := decodeCrockford(v.buf[:0], text)
	if !ok {
		return CodeMalformed
	}
	var said Code
	macAt, ok := parseCode(b, &said)
	if !ok {
		return CodeMalformed
	}
	*c = said
	if v.demo && c.Campaign != DemoCampaignID {
		return CodeForged
	}
	for i := range v.keys {
		key := &v.keys[i]
		if key.id == c.KeyID && subtle.ConstantTimeCompare(key.mac.of(b[:macAt]), b[macAt:]) == 1 {
			return CodeGood
		}
	}
	return CodeForged
}

// VerifyEvent verifies the code of a share or join and completes e: Code and CodeExpiresS of both,
// Campaign, Chain and Inviter of a join, unless the code is malformed. A share whose code is good
// but names another campaign, chain or sharer is marked CodeForged: that code is not its own. Other
// events are left alone.
func (v *CodeVerifier) VerifyEvent(e *Event) {
	if e.Kind != EventShare && e.Kind != EventJoin {
		return
	}
	var c Code
	e.Code = v.Verify(e.CodeText, &c)
	e.CodeExpiresS = c.ExpiresS
	if e.Kind == EventJoin {
		e.Campaign, e.Chain, e.Inviter = c.Campaign, c.Chain, c.Inviter
		return
	}
	if e.Code == CodeGood && (c.Campaign != e.Campaign || c.Chain != e.Chain || c.Inviter != e.User) {
		e.Code = CodeForged
	}
}
