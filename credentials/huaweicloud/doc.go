// Package huaweicloud finds credentials for Huawei Cloud: access keys (AK/SK),
// temporary keys, IAM tokens. It links the standard library and package cloudlb
// only.
//
//	cfg := cloudlb.Config{
//		Region:      "cn-north-4",
//		Credentials: huaweicloud.Default(),
//	}
//	lb, err := elb.New(cfg, elb.WithProjectID(huaweicloud.ProjectIDFromEnv()))
//
// # Sources
//
//   - [Environment]: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and, for temporary
//     keys, HUAWEICLOUD_SDK_SECURITY_TOKEN.
//   - [ProfileFile]: the vendor's file ~/.huaweicloud/credentials.
//   - [Metadata]: the keys of an ECS's agency, from its metadata service.
//   - [PodIdentity]: the keys of a pod's service account on CCE.
//   - [IAMToken]: a token for a user's name and password, sent as X-Auth-Token.
//   - [Default]: the first four in this order, which is the order of the vendor's
//     SDKs; [Chain] for one of your own.
//
// Keys and tokens that expire are cached and replaced in time
// (cloudlb.CredentialsCache). No function of this package reads the environment,
// a file or the network before credentials are asked for, but for those named
// ...FromEnv and ...FromProfile. Share one provider between the clients of an
// identity: each has a cache of its own.
//
// # Errors
//
// Errors are *cloudlb.Error. ErrUnauthenticated: there are no credentials here,
// or IAM refused them. ErrUnavailable: the source is broken or out of reach, and
// may answer later. ErrInvalid: an option is wrong. No error shows a secret, and
// no provider prints one.
package huaweicloud
