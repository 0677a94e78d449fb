package schemas

import (
	"crypto/sha256"
	"sync"
)

// knownTexts bounds what a CampaignTexts remembers: a process has a few campaigns of a few versions.
const knownTexts = 64

// CampaignTexts parses campaign files and remembers what they came to, so that the partitions of a process, each of which folds the
// same files, share one Campaign. Nobody writes to what it returns. The zero value is ready; nil parses each time.
type CampaignTexts struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*Campaign
}

// Parse is ParseCampaign. Campaign.Name is that of the first who brought the text.
func (t *CampaignTexts) Parse(name string, text []byte) (*Campaign, error) {
	if t == nil {
		return ParseCampaign(name, text)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := sha256.Sum256(text)
	if c := t.known[sum]; c != nil {
		return c, nil
	}
	c, err := ParseCampaign(name, text)
	if err != nil {
		return nil, err
	}
	if t.known == nil || len(t.known) >= knownTexts {
		t.known = map[[sha256.Size]byte]*Campaign{}
	}
	t.known[sum] = c
	return c, nil
}
