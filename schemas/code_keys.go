package schemas

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"slices"
)

// CodeKeys are the live keys of invite codes: one, or two while they are rotated. Codes of either
// verify; exactly one mints. It is immutable and safe for concurrent use.
type CodeKeys struct {
	keys []codeKey
	mint int // index into keys
	demo bool
}

type codeKey struct {
	id     uint8
	secret []byte
}

// The demo key is published, here: whoever can read can mint. So its id is none that a key file
// may use, and a code under it is good for DemoCampaignID alone.
const (
	demoKeyID  = 0
	demoSecret = "hongbao demo key, published: good for campaign 1 only" //nolint:gosec // published on purpose

	// DemoCampaignID is the built-in campaign, the only one that the demo key is good for.
	DemoCampaignID = 1
)

// DemoCodeKeys are the published demo key. See Demo.
func DemoCodeKeys() *CodeKeys {
	return &CodeKeys{keys: []codeKey{{id: demoKeyID, secret: []byte(demoSecret)}}, demo: true}
}

// Demo says that these are the published demo key, good for campaign DemoCampaignID alone: a
// verifier answers CodeForged for any other, and a process must refuse to run any other.
func (k *CodeKeys) Demo() bool { return k.demo }

// Judges says whether these keys can tell a genuine code from a forged one where c is what it says: they have its key, or no key is needed, since the
// demo key is good for DemoCampaignID alone.
func (k *CodeKeys) Judges(c *Code) bool {
	if c.KeyID == demoKeyID && c.Campaign != DemoCampaignID {
		return true
	}
	return slices.ContainsFunc(k.keys, func(key codeKey) bool { return key.id == c.KeyID })
}

// Mint makes a code with the minting key; c.KeyID is not looked at. See CodeMinter for many.
func (k *CodeKeys) Mint(c Code) string { return string(k.AppendMint(nil, c)) }

// AppendMint appends what Mint makes. Ids and expiry outside 1..2^63-1 give a code that verifies as
// CodeMalformed.
func (k *CodeKeys) AppendMint(dst []byte, c Code) []byte { return NewCodeMinter(k).Append(dst, c) }

// CodeMinter mints without allocating. It is not safe for concurrent use.
type CodeMinter struct {
	keyID uint8
	mac   codeMAC
	buf   []byte
}

// NewCodeMinter makes a minter with the minting key of k.
func NewCodeMinter(k *CodeKeys) *CodeMinter {
	key := &k.keys[k.mint]
	return &CodeMinter{keyID: key.id, mac: newCodeMAC(key.secret), buf: make([]byte, 0, maxCodeBytes)}
}

// Append appends the code that says c; see CodeKeys.AppendMint.
func (m *CodeMinter) Append(dst []byte, c Code) []byte {
	m.buf = appendCodeBody(m.buf[:0], m.keyID, &c)
	m.buf = append(m.buf, m.mac.of(m.buf)...)
	return appendCrockford(dst, m.buf)
}

// codeMAC is one keyed hash, used again and again: hmac.New for each code costs four times as much
// and allocates.
type codeMAC struct {
	hash hash.Hash
	sum  []byte
}

func newCodeMAC(secret []byte) codeMAC {
	return codeMAC{hash: hmac.New(sha256.New, secret), sum: make([]byte, 0, sha256.Size)}
}

// of is the truncated MAC of body, valid until the next call.
func (m *codeMAC) of(body []byte) []byte {
	m.hash.Reset()
	_, _ = m.hash.Write(body) // hash.Hash never fails to write
	m.sum = m.hash.Sum(m.sum[:0])
	return m.sum[:codeMACBytes]
}
