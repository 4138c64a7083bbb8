package huaweicloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

const (
	mostBytes       = 1 << 20
	mostHeaderBytes = 256 << 10
)

// caller sends the requests of one source.
type caller struct {
	source  string
	client  *http.Client
	timeout time.Duration
}

// newCaller copies the caller's own client, if there is one. Redirects are not
// followed: the requests carry secrets. Connections are not kept: requests are
// hours apart.
func newCaller(source string, own *http.Client, timeout time.Duration, proxy func(*http.Request) (*url.URL, error)) *caller {
	client := &http.Client{}
	if own != nil {
		*client = *own
	}
	if client.Transport == nil {
		client.Transport = &http.Transport{
			Proxy:                  proxy,
			DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
			TLSHandshakeTimeout:    timeout,
			MaxResponseHeaderBytes: mostHeaderBytes,
			DisableKeepAlives:      true,
		}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &caller{source: source, client: client, timeout: timeout}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// errNoAnswer marks failures to get an answer, but for those of the context.
var errNoAnswer = errors.New("no answer")

// do sends one request and reads what comes back. Its error is the context's, or
// matches errNoAnswer.
func (c *caller) do(ctx context.Context, method, target string, header http.Header, body []byte) (*answer, error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, failure(c.source, cloudlb.ClassInvalid, errors.New("the address of the service is not a URL"))
	}
	if header != nil {
		req.Header = header
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, c.unanswered(ctx, limited, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes+1))
	if err != nil {
		return nil, c.unanswered(ctx, limited, err)
	}
	if len(b) > mostBytes {
		return nil, c.broken(resp.StatusCode, fmt.Errorf("the answer has more than %d bytes", mostBytes))
	}
	return &answer{resp.StatusCode, resp.Header, b}, nil
}

func (c *caller) unanswered(ctx, limited context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return failure(c.source, cloudlb.ClassUnknown, ended)
	}
	if limited.Err() != nil {
		return failure(c.source, cloudlb.ClassUnavailable, fmt.Errorf("%w within %s", errNoAnswer, c.timeout))
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL
	}
	return failure(c.source, cloudlb.ClassUnavailable, fmt.Errorf("%w: %w", errNoAnswer, err))
}

// broken is the error of an answer that cannot be used.
func (c *caller) broken(status int, err error) *cloudlb.Error {
	e := failure(c.source, cloudlb.ClassUnavailable, err)
	e.StatusCode = status
	return e
}

// refused is the error of an answer that is not a success. Code and message are
// taken from the documented JSON only, and the secrets that were sent are taken
// out of them.
func (c *caller) refused(a *answer, secrets ...string) *cloudlb.Error {
	e := failure(c.source, cloudlb.ClassUnauthenticated, nil)
	e.StatusCode, e.Outcome = a.status, cloudlb.OutcomeRejected
	e.Code, e.Message = fault(a.body)
	for _, secret := range secrets {
		if len(secret) >= 4 {
			e.Message = strings.ReplaceAll(e.Message, secret, "***")
			e.Code = strings.ReplaceAll(e.Code, secret, "***")
		}
	}
	switch {
	case a.status >= 300 && a.status < 400:
		e.Class = cloudlb.ClassInvalid
		e.Message = "the answer is a redirect, which is not followed with secrets"
	case a.status == http.StatusTooManyRequests:
		e.Class = cloudlb.ClassThrottled
	case a.status >= 500:
		e.Class = cloudlb.ClassUnavailable
	case a.status == http.StatusForbidden:
		e.Class = cloudlb.ClassDenied
	case a.status != http.StatusUnauthorized:
		e.Class = cloudlb.ClassInvalid // never "not found": the resource of the caller's call is not meant
	}
	if e.Code == "" && e.Message == "" {
		e.Message = http.StatusText(a.status)
	}
	return e
}

// fault reads the three forms of the vendor's errors.
func fault(body []byte) (code, message string) {
	type form struct {
		Code    any    `json:"code"`
		Message string `json:"message"`
		ErrCode string `json:"error_code"`
		ErrMsg  string `json:"error_msg"`
	}
	var reply struct {
		form
		Error form `json:"error"`
	}
	if json.Unmarshal(body, &reply) != nil {
		return "", ""
	}
	for _, f := range []form{reply.form, reply.Error} {
		switch code := f.Code.(type) {
		case string:
			f.ErrCode = code
		case float64:
			if f.ErrCode == "" && f.Message != "" {
				f.ErrCode = fmt.Sprint(code)
			}
		}
		if f.ErrMsg == "" {
			f.ErrMsg = f.Message
		}
		if f.ErrCode != "" || f.ErrMsg != "" {
			return f.ErrCode, f.ErrMsg
		}
	}
	return "", ""
}

// base checks an endpoint: scheme and host, nothing else. Field is the option's
// name.
func base(field, endpoint string, plain bool) (string, []cloudlb.Problem) {
	refuse := func(message string) (string, []cloudlb.Problem) {
		return "", []cloudlb.Problem{{Field: field, Message: message}}
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return refuse("must be scheme and host only, such as https://iam.cn-north-4.myhuaweicloud.com")
	case u.Scheme == "http" && !plain:
		return refuse("is not https")
	}
	return u.Scheme + "://" + u.Host, nil
}
