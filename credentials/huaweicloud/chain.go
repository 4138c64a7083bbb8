package huaweicloud

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cloudlb/cloudlb"
)

// Default returns a provider that looks for credentials where the vendor's SDKs
// do, in their order: [Environment], [ProfileFile], [Metadata], [PodIdentity].
// Other than the vendor's, it does not go past a source that is set up but not
// rightly, such as an access key without its secret key: the next source would
// be another identity than the one that was meant.
func Default() cloudlb.CredentialsProvider {
	return Chain(
		Environment(),
		ProfileFile(ProfileOptions{}),
		Metadata(MetadataOptions{}),
		PodIdentity(PodIdentityOptions{}),
	)
}

// Chain returns a provider that asks each of providers until one has
// credentials. From then on it stays with that one, so a program does not change
// its identity while it runs. When none has credentials the error says what each
// of them said; it is not remembered.
func Chain(providers ...cloudlb.CredentialsProvider) cloudlb.CredentialsProvider {
	return &chain{providers: append([]cloudlb.CredentialsProvider(nil), providers...)}
}

type chain struct {
	providers []cloudlb.CredentialsProvider
	chosen    atomic.Pointer[cloudlb.CredentialsProvider]
}

const chainSource = "credentials"

func (c *chain) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "credentials(chain of %d sources)", len(c.providers))
}

func (c *chain) Credentials(ctx context.Context) (cloudlb.Credentials, error) {
	if p := c.chosen.Load(); p != nil {
		return (*p).Credentials(ctx)
	}
	found := &exhausted{}
	for _, p := range c.providers {
		if p == nil {
			continue
		}
		cred, err := p.Credentials(ctx)
		switch {
		case err == nil:
			if !c.chosen.CompareAndSwap(nil, &p) { // another call was faster
				return c.Credentials(ctx)
			}
			return cred, nil
		case ctx.Err() != nil, isMisused(err):
			return cloudlb.Credentials{}, err
		}
		found.errs = append(found.errs, err)
	}
	class := cloudlb.ClassUnauthenticated
	for _, err := range found.errs {
		if errors.Is(err, cloudlb.ErrUnavailable) || errors.Is(err, cloudlb.ErrThrottled) { // it may have some later
			class = cloudlb.ClassUnavailable
		}
	}
	return cloudlb.Credentials{}, failure(chainSource, class, found)
}

// Refresh implements cloudlb.CredentialsRefresher for the source that was chosen.
func (c *chain) Refresh(ctx context.Context, used cloudlb.Credentials) (cloudlb.Credentials, error) {
	if p := c.chosen.Load(); p != nil {
		if r, ok := (*p).(cloudlb.CredentialsRefresher); ok {
			return r.Refresh(ctx, used)
		}
	}
	return c.Credentials(ctx)
}

// exhausted is what every source said.
type exhausted struct{ errs []error }

func (x *exhausted) Error() string {
	if len(x.errs) == 0 {
		return "the chain has no sources"
	}
	said := make([]string, 0, len(x.errs))
	for _, err := range x.errs {
		said = append(said, short(err))
	}
	return "none of " + strconv.Itoa(len(said)) + " sources has any: " + strings.Join(said, "; ")
}

func (x *exhausted) Unwrap() []error { return x.errs }

// short is the text of an error of this package without what all have in common.
func short(err error) string {
	e, ok := errors.AsType[*cloudlb.Error](err)
	if !ok || e.Service != service {
		return err.Error()
	}
	text := e.Operation
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.StatusCode != 0 {
		text += fmt.Sprintf(" (status %d)", e.StatusCode)
	}
	return text
}
