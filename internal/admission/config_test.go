package admission

import (
	"strings"
	"testing"
)

func TestConfigRefusals(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"neither Redis nor Memory":      func(c *Config) { c.Memory = nil },
		`prefix "a}b" contains a brace`: func(c *Config) { c.Prefix = "a}b" },
		"prefix is empty":               func(c *Config) { c.Prefix = "" },
		"partitions is 0: 1 to 65536":   func(c *Config) { c.Partitions = 0 },
		"partitions is 65537":           func(c *Config) { c.Partitions = 65537 },
		"share limit -1 per 0 ms":       func(c *Config) { c.Limit.Count = -1 },
		"batch max is 2001: 1 to 2000":  func(c *Config) { c.BatchMax = 2001 },
	} {
		c := Config{Memory: NewMemory(nil), Prefix: "hongbao", Partitions: 4}
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
