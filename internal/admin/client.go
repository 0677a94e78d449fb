package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Client asks the API of one instance.
type Client struct {
	address string
	http    *http.Client
}

// NewClient is for host:port; nothing is dialled yet. Requests last as long as their contexts.
func NewClient(address string) *Client {
	return &Client{address: address, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// ErrNobody says that no instance answers at the address.
var ErrNobody = errors.New("no instance answers")

// Status asks the instance about itself.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.ask(ctx, http.MethodGet, "/v1/status", &s)
}

// Partitions asks where all partitions stand.
func (c *Client) Partitions(ctx context.Context) (all []Partition, err error) {
	return all, c.ask(ctx, http.MethodGet, "/v1/partitions", &all)
}

// StateHash asks for the hash of a partition's state.
func (c *Client) StateHash(ctx context.Context, p int32) (h StateHash, err error) {
	return h, c.ask(ctx, http.MethodGet, fmt.Sprintf("/v1/partitions/%d/state-hash", p), &h)
}

// Swap lets the instance take its shadow store's partition in place of the live one.
func (c *Client) Swap(ctx context.Context, p int32) error {
	return c.ask(ctx, http.MethodPost, fmt.Sprintf("/v1/partitions/%d/swap", p), &Done{})
}

// Drain begins the instance's shutdown.
func (c *Client) Drain(ctx context.Context) error {
	return c.ask(ctx, http.MethodPost, "/v1/drain", &Done{})
}

func (c *Client) ask(ctx context.Context, method, path string, answer any) error {
	url := "http://" + c.address + path
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(nil))
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w at %s: %w", ErrNobody, c.address, err)
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	if resp.StatusCode == http.StatusOK {
		if err := dec.Decode(answer); err != nil {
			return fmt.Errorf("%s does not answer like an instance of hongbao: %w", url, err)
		}
		return nil
	}
	refusal := &Refusal{Code: resp.StatusCode}
	if err := dec.Decode(refusal); err != nil || refusal.Sentence == "" {
		return fmt.Errorf("%s answers %s, which is not like an instance of hongbao", url, resp.Status)
	}
	return refusal
}
