package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hongbao/schemas"
)

// codeAnswer is what `code mint --json` and `code check --json` print.
type codeAnswer struct {
	Code   string `json:"code"`
	Status string `json:"status"` // good, malformed, forged or expired
	*codeSays
}

// codeSays is what a code says; of a malformed one there is nothing, of a forged one it is the forger's word.
type codeSays struct {
	KeyID    uint8  `json:"key_id"` // 0: the published demo key
	Campaign int64  `json:"campaign"`
	Chain    int64  `json:"chain"`
	Inviter  int64  `json:"inviter"`
	Expires  string `json:"expires"` // RFC 3339, UTC
	ExpiresS int64  `json:"expires_s"`
}

const codeGood = "good"

func newCodeCommand(a *app) *cobra.Command {
	return newGroup("code", "Make an invite code, or say what one says", newCodeMintCommand(a), newCodeCheckCommand(a))
}

func newCodeMintCommand(a *app) *cobra.Command {
	var c schemas.Code
	var expires string
	cmd := &cobra.Command{
		Use:   "mint",
		Short: "Make an invite code with the key that mints",
		Long: `Make an invite code with the key that mints: the one of --code-keys with mint: true, or without keys the published demo key,
which is good for campaign 1 alone. It lives until --expires, or until its campaign ends, whose file must then be among --campaigns.
With --json: {code, status, key_id, campaign, chain, inviter, expires, expires_s}.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.mintCode(c, expires) },
	}
	addFlags(cmd.Flags(), "code-keys", "campaigns")
	cmd.Flags().Int64Var(&c.Campaign, "campaign", schemas.DemoCampaignID, "campaign of the code")
	cmd.Flags().Int64Var(&c.Chain, "chain", 0, "chain: id of its seed user")
	cmd.Flags().Int64Var(&c.Inviter, "inviter", 0, "user who shares the code")
	cmd.Flags().StringVar(&expires, "expires", "", "RFC 3339 time from which on the code is expired (default: when the campaign ends)")
	return cmd
}

func newCodeCheckCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check CODE",
		Short: "Say what an invite code says and whether it is good now",
		Long: `Say what an invite code says and whether it is good now. The status is one of
  good       well formed, signed with a live key, not expired
  malformed  no invite code
  forged     its key is not among the live ones, or its signature is wrong: what it says is a forger's word
  expired    good but for its time
Exit code 0: good. With --json: {code, status, key_id, campaign, chain, inviter, expires, expires_s}, of a malformed code {code, status}.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			keys, err := a.cfg.loadCodeKeys()
			if err != nil {
				return err
			}
			answer := readCode(keys, args[0], time.Now())
			if err := a.answer(answer, answer.print); err != nil || answer.Status == codeGood {
				return err
			}
			return errFailed
		},
	}
	addFlags(cmd.Flags(), "code-keys")
	return cmd
}

func (a *app) mintCode(c schemas.Code, expires string) error {
	for _, id := range []struct {
		flag  string
		value int64
	}{{"--campaign", c.Campaign}, {"--chain", c.Chain}, {"--inviter", c.Inviter}} {
		if id.value < 1 {
			return fmt.Errorf("%s %d: an id is in 1..2^63-1", id.flag, id.value)
		}
	}
	keys, err := a.cfg.loadCodeKeys()
	if err != nil {
		return err
	}
	if keys.Demo() && c.Campaign != schemas.DemoCampaignID {
		return fmt.Errorf("--campaign %d: the published demo key is good for campaign %d alone; give keys of your own by --code-keys or %s",
			c.Campaign, schemas.DemoCampaignID, codeKeysEnv)
	}
	if c.ExpiresS, err = a.codeExpiry(c.Campaign, expires); err != nil {
		return err
	}
	answer := readCode(keys, keys.Mint(c), time.Now())
	if answer.codeSays == nil {
		return errors.New("the code that was made does not read: this is a bug")
	}
	return a.answer(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Code) })
}

// codeExpiry is --expires, or the end of the campaign, in Unix seconds.
func (a *app) codeExpiry(campaign int64, expires string) (int64, error) {
	if expires != "" {
		at, err := time.Parse(time.RFC3339, expires)
		if err != nil {
			return 0, fmt.Errorf("--expires %q: want an RFC 3339 time, such as 2026-12-01T00:00:00+08:00", expires)
		}
		if !at.After(time.Now()) {
			return 0, fmt.Errorf("--expires %q is past: such a code admits nobody", expires)
		}
		return at.Unix(), nil
	}
	campaigns, err := a.cfg.loadCampaigns()
	if err != nil {
		return 0, err
	}
	for _, c := range campaigns {
		if c.ID == campaign {
			return c.EndsMS / 1000, nil
		}
	}
	return 0, fmt.Errorf("campaign %d: its file is not among --campaigns, so nobody knows when it ends; give --expires", campaign)
}

func readCode(keys *schemas.CodeKeys, text string, now time.Time) *codeAnswer {
	var c schemas.Code
	answer := &codeAnswer{Code: text}
	switch schemas.NewCodeVerifier(keys).Verify([]byte(text), &c) {
	case schemas.CodeGood:
		answer.Status = codeGood
		if c.ExpiredAt(now.UnixMilli()) {
			answer.Status = "expired"
		}
	case schemas.CodeForged:
		answer.Status = "forged"
	default:
		answer.Status = "malformed"
		return answer
	}
	answer.codeSays = &codeSays{
		KeyID: c.KeyID, Campaign: c.Campaign, Chain: c.Chain, Inviter: c.Inviter,
		Expires: time.Unix(c.ExpiresS, 0).UTC().Format(time.RFC3339), ExpiresS: c.ExpiresS,
	}
	return answer
}

func (c *codeAnswer) print(w io.Writer) {
	if c.codeSays == nil {
		fmt.Fprintf(w, "%s: %d characters that are no invite code, which is Crockford base32 with all of version, key, campaign, chain, inviter, expiry and signature\n", c.Status, len(c.Code))
		return
	}
	fmt.Fprintln(w, c.Status)
	fmt.Fprintf(w, "campaign %d, chain %d, inviter %d, expires %s, key %d\n", c.Campaign, c.Chain, c.Inviter, c.Expires, c.KeyID)
}
