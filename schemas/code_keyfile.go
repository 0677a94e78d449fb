package schemas

import (
	"encoding/base64"
	"fmt"
	"math"
	"os"
)

const (
	maxKeyFileBytes = 64 << 10
	maxLiveKeys     = 2
	minSecretBytes  = 16
	maxSecretBytes  = 1 << 10
)

// LoadCodeKeys reads a key file; see ParseCodeKeys.
func LoadCodeKeys(path string) (*CodeKeys, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the file of code keys: %w", err)
	}
	return ParseCodeKeys(path, text)
}

// ParseCodeKeys parses a key file in YAML or JSON, {keys: [{id: 1, secret: <base64>, mint: true}]}:
// one live key, or two while they are rotated (add the new one without mint everywhere, move mint
// to it, drop the old one when its last code has expired); exactly one mints. name is the file's,
// for sentences, which never show a value of the file.
func ParseCodeKeys(name string, text []byte) (*CodeKeys, error) {
	file := &yamlFile{name: name, secret: true}
	root := file.root(text, maxKeyFileBytes)
	k := new(CodeKeys)
	if file.err == nil {
		k.read(&root)
	}
	if file.err != nil {
		return nil, file.err
	}
	return k, nil
}

func (k *CodeKeys) read(root *yamlSection) {
	root.only("keys")
	keys := root.list("keys")
	if n := len(keys); n < 1 || n > maxLiveKeys {
		root.file.refuse(root.line, "keys has %d entries; want one live key, or two while they are rotated", n)
		return
	}
	minting := 0
	for i := range keys {
		s := &keys[i]
		s.only("id", "secret", "mint")
		id := uint8(s.integer("id", 1, math.MaxUint8)) //nolint:gosec // at most 255
		key := codeKey{id: id, secret: readSecret(s)}
		if i > 0 && key.id == k.keys[0].id {
			s.refuse("id", "the two keys have the same id; a code names its key by it")
		}
		if s.flag("mint") {
			k.mint = i
			minting++
		}
		k.keys = append(k.keys, key)
	}
	if minting != 1 {
		root.file.refuse(root.line, "%d keys have mint: true; exactly one mints", minting)
	}
}

func readSecret(s *yamlSection) []byte {
	secret, err := base64.StdEncoding.DecodeString(s.text("secret"))
	switch {
	case !s.has("secret"):
	case err != nil:
		s.refuse("secret", "want base64 (RFC 4648 section 4, with padding)")
	case len(secret) < minSecretBytes || len(secret) > maxSecretBytes:
		s.refuse("secret", "it has %d bytes; want %d..%d random ones", len(secret), minSecretBytes, maxSecretBytes)
	case string(secret) == demoSecret:
		s.refuse("secret", "it is the published demo secret; want random bytes of your own")
	}
	return secret
}
