// Package aliyun gets keys for Alibaba Cloud from wherever credentials-go
// (github.com/aliyun/credentials-go) finds them: environment, OIDC, profiles
// of the CLI, instance metadata, RAM roles, a local credentials server.
//
//	lb, err := alb.New(cloudlb.Config{Region: "cn-hangzhou", Credentials: aliyun.Default()})
//	if err != nil {
//		return err
//	}
//	groups, err := lb.ListServerGroups(ctx, alb.ListServerGroupsRequest{})
//
// Everything here is a cloudlb.CredentialsCache: make one for each identity and
// share it between clients. Only programs that import this package link
// credentials-go.
//
// # The default chain
//
// Default uses the first that has keys, and then stays with it until it fails
// or a service refuses its keys:
//
//  1. ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for
//     temporary keys, ALIBABA_CLOUD_SECURITY_TOKEN.
//  2. An OIDC token, as in RRSA of ACK: ALIBABA_CLOUD_ROLE_ARN,
//     ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE or
//     ALIBABA_CLOUD_OIDC_TOKEN.
//  3. The current profile of Alibaba Cloud CLI in ~/.aliyun/config.json
//     (ALIBABA_CLOUD_CONFIG_FILE, ALIBABA_CLOUD_PROFILE), unless
//     ALIBABA_CLOUD_CLI_PROFILE_DISABLED is true.
//  4. The profile in ~/.alibabacloud/credentials
//     (ALIBABA_CLOUD_CREDENTIALS_FILE, ALIBABA_CLOUD_PROFILE).
//  5. The RAM role of the ECS instance (ALIBABA_CLOUD_ECS_METADATA names it),
//     unless ALIBABA_CLOUD_ECS_METADATA_DISABLED is true.
//  6. The server at ALIBABA_CLOUD_CREDENTIALS_URI.
//
// # What differs from credentials-go
//
//   - Contexts are honoured. credentials-go has none, so a call that hangs is
//     left behind: callers leave when their context ends, or with an error after
//     RefreshTimeout, and it is not called again before it has returned.
//   - It is called by one goroutine at a time: it is not safe for more.
//   - A source that failed is built anew for the next call. credentials-go's
//     chain asks the last source that failed, for ever.
//   - Keys that a service calls expired are fetched anew, where credentials-go
//     remembers its keys for as long as it believes them to be valid.
//   - Key, secret and token come from one answer.
//   - Keys are never used past their expiry; it is in Credentials.Expires. While
//     they are valid, a source that fails costs nothing. Where the expiry cannot
//     be told, Expires is at most 150 seconds away and the source is asked again.
//   - Panics in credentials-go are errors.
//   - Errors hold neither keys nor the answers, files and URLs that
//     credentials-go puts into its own.
//
// What cannot be helped here: with DEBUG=credential in the environment
// credentials-go prints its traffic, and it prints the output of an External
// profile's program when it cannot read it.
//
// Bearer tokens are refused: they do not sign requests to ALB and SLB.
package aliyun
