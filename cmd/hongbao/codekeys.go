package main

import (
	"fmt"
	"os"
	"strings"
)

const codeKeysEnv = envPrefix + "CODE_KEYS"

// leakedKeys refuses the keys of invite codes themselves where only their file's name may
// stand: flags are seen by every user of the machine, files are copied (invariant 3).
func (ls layers) leakedKeys(cfg Config) []error {
	subject := ls.subject("code_keys")
	if !isKeyText(cfg.CodeKeys) || subject == codeKeysEnv {
		return nil
	}
	return []error{fmt.Errorf("%s holds keys; give a file's name here, or the keys by the environment variable %s", subject, codeKeysEnv)}
}

// isKeyText tells the keys themselves, which are YAML or JSON, from the name of their file.
func isKeyText(s string) bool { return strings.ContainsAny(s, "\n{") || strings.Contains(s, ": ") }

// CodeKeyText returns the text with the keys of invite codes, or nil if none are configured, and
// where it came from for messages.
func (c *Config) CodeKeyText() (text []byte, origin string, err error) {
	if c.CodeKeys == "" {
		return nil, "", nil
	}
	if isKeyText(c.CodeKeys) {
		return []byte(c.CodeKeys), codeKeysEnv, nil
	}
	text, err = os.ReadFile(c.CodeKeys)
	if err != nil {
		return nil, "", fmt.Errorf("the keys of invite codes cannot be read: %w", err)
	}
	return text, c.CodeKeys, nil
}
