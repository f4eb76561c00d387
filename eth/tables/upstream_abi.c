/* SPDX-License-Identifier: MIT */
/*
 * Upstream's contracts as data: every function, event and error of the deployed ABIs, with argument
 * names (those of structs are upstream's own). Ids are addresses; no event of the marketplace
 * indexes an argument. The tests hold each row's selector or topic against figures taken from the
 * chain's ABIs, and its encoding against two other libraries.
 */
#include "eth/upstream.h"

#define SOURCE_PARAMS                                                                     \
    "(address client,string imageMetadataUrl,uint8 imageEnvironments,uint256 minPayment," \
    "uint256 minAvailableLockup,uint256 maxExpiryDuration,bool privacyEnabled,"           \
    "string optionalParamsUrl,uint8 deliveryMethod,uint256 lastUpdateTime)"
#define TASK_PARAMS     "(address source,string config,uint256 expiryTime,uint256 payment)"
#define RESPONSE_PARAMS "(address task,address provider,string data,uint256 payment)"

#define F(c, name, in, out)                                   \
    {                                                         \
        UPSTREAM_##c, UPSTREAM_FUNCTION, false, name, in, out \
    }
#define F_MAIN(c, name, in, out)                             \
    {                                                        \
        UPSTREAM_##c, UPSTREAM_FUNCTION, true, name, in, out \
    }
#define E(c, name, in)                                      \
    {                                                       \
        UPSTREAM_##c, UPSTREAM_EVENT, false, name, in, NULL \
    }
#define E_MAIN(c, name, in)                                \
    {                                                      \
        UPSTREAM_##c, UPSTREAM_EVENT, true, name, in, NULL \
    }
#define R(c, name, in)                                      \
    {                                                       \
        UPSTREAM_##c, UPSTREAM_ERROR, false, name, in, NULL \
    }

/* clang-format off: one entry a line */
const struct upstream_entry upstream_abi[] = {
    F(NEXUS, "CONTROLLER", "()", "(bytes32)"),
    F(NEXUS, "PROVIDER", "()", "(bytes32)"),
    F(NEXUS, "activeSourceCountOf", "(address)", "(uint256)"),
    F(NEXUS, "attempt", "(address task,address provider,uint256 suggestedPayment)", "()"),
    F(NEXUS, "checkController", "(address account)", "(bool)"),
    F(NEXUS, "clients", "(uint256)", "(address)"),
    F(NEXUS, "emitTaskPublished", "(address task,address source)", "()"),
    F(NEXUS, "getActiveSourceCount", "(address client)", "(uint256)"),
    F(NEXUS, "getSourceCount", "()", "(uint256)"),
    F(NEXUS, "getSourceId", "(address source)", "(uint256)"),
    F(NEXUS, "getSources", "(uint256 lower,uint256 upper)", "(address[])"),
    F(NEXUS, "inactivateSource", "(address source)", "()"),
    F(NEXUS, "manager", "()", "(address)"),
    F(NEXUS, "owner", "()", "(address)"),
    F(NEXUS, "publishSource", "(" SOURCE_PARAMS " sourceParams)", "()"),
    F(NEXUS, "register", "(address source,address provider,uint8 preferredEnvironment)", "()"),
    F(NEXUS, "renounceOwnership", "()", "()"),
    F(NEXUS, "setManager", "(address manager)", "()"),
    F(NEXUS, "setResponseStatus", "(address response,uint8 status)", "()"),
    F(NEXUS, "setSourceStatus", "(address source,uint8 status)", "()"),
    F(NEXUS, "setTaskStatus", "(address task,uint8 status)", "()"),
    F(NEXUS, "setTerminal", "(address terminal)", "()"),
    F(NEXUS, "setVault", "(address vault)", "()"),
    F(NEXUS, "sourceId", "(address)", "(uint256)"),
    F(NEXUS, "sources", "(uint256)", "(address)"),
    F(NEXUS, "sourcesOf", "(address,uint256)", "(address)"),
    F(NEXUS, "submitResponse", "(" RESPONSE_PARAMS " responseParams)", "()"),
    F(NEXUS, "terminal", "()", "(address)"),
    F(NEXUS, "transferOwnership", "(address newOwner)", "()"),
    F(NEXUS, "unregister", "(address source,address provider)", "()"),
    F(NEXUS, "updateSource", "(address source," SOURCE_PARAMS " sourceParams)", "()"),
    F(NEXUS, "vault", "()", "(address)"),
    E(NEXUS, "Attempted", "(address task,address provider,uint256 suggestedPayment)"),
    E(NEXUS, "OwnershipTransferred", "(address indexed previousOwner,address indexed newOwner)"),
    E(NEXUS, "Registered",
      "(address provider,uint256 registrantId,address source,uint8 preferredEnvironment)"),
    E(NEXUS, "ResponseStatusChanged", "(address response,uint8 status)"),
    E(NEXUS, "ResponseSubmitted", "(address response,address task)"),
    E(NEXUS, "SourcePublished", "(address source)"),
    E(NEXUS, "SourceStatusChanged", "(address source,uint8 status)"),
    E(NEXUS, "SourceUpdated", "(address source," SOURCE_PARAMS " sourceParams)"),
    E(NEXUS, "TaskPublished", "(address task,address source)"),
    E(NEXUS, "TaskStatusChanged", "(address task,uint8 status)"),
    R(NEXUS, "OwnableInvalidOwner", "(address owner)"),
    R(NEXUS, "OwnableUnauthorizedAccount", "(address account)"),
    F(CONTROLLER, "cancelTask", "(address task)", "()"),
    F(CONTROLLER, "confirmResponse", "(address response)", "()"),
    F(CONTROLLER, "nexus", "()", "(address)"),
    F(CONTROLLER, "owner", "()", "(address)"),
    F(CONTROLLER, "publishTask", "(" TASK_PARAMS " taskParams)", "()"),
    F(CONTROLLER, "renounceOwnership", "()", "()"),
    F(CONTROLLER, "setNexus", "(address nexus)", "()"),
    F(CONTROLLER, "setTerminal", "(address terminal)", "()"),
    F(CONTROLLER, "setVault", "(address vault)", "()"),
    F(CONTROLLER, "terminal", "()", "(address)"),
    F(CONTROLLER, "transferOwnership", "(address newOwner)", "()"),
    F(CONTROLLER, "vault", "()", "(address)"),
    E(CONTROLLER, "OwnershipTransferred",
      "(address indexed previousOwner,address indexed newOwner)"),
    R(CONTROLLER, "OwnableInvalidOwner", "(address owner)"),
    R(CONTROLLER, "OwnableUnauthorizedAccount", "(address account)"),
    F(TERMINAL, "PROVIDER", "()", "(bytes32)"),
    F(TERMINAL, "announceMaster", "(address master)", "()"),
    F(TERMINAL, "announceProvider", "(address provider,uint256 amount)", "()"),
    F(TERMINAL, "baseDataOf", "(address)", "(string)"),
    F(TERMINAL, "defaultAgentDisabled", "(address)", "(bool)"),
    F(TERMINAL, "getIsAgentOf", "(address master,address agent)", "(bool)"),
    F(TERMINAL, "getIsMaster", "(address master)", "(bool)"),
    F(TERMINAL, "getMasterOf", "(address provider)", "(address)"),
    F(TERMINAL, "isAgentOf", "(address,address)", "(bool)"),
    F(TERMINAL, "isMaster", "(address)", "(bool)"),
    F(TERMINAL, "isProvider", "(address)", "(bool)"),
    F(TERMINAL, "liveDataOf", "(address)", "(string)"),
    F(TERMINAL, "manager", "()", "(address)"),
    F(TERMINAL, "masterOf", "(address)", "(address)"),
    F(TERMINAL, "owner", "()", "(address)"),
    F(TERMINAL, "providerOf", "(address)", "(address)"),
    F(TERMINAL, "removeContainer", "(address provider,address source)", "()"),
    F(TERMINAL, "removeProvider", "(address provider)", "()"),
    F(TERMINAL, "renounceOwnership", "()", "()"),
    F(TERMINAL, "setAgent", "(address agent,bool value)", "()"),
    F(TERMINAL, "setBaseData", "(string baseData)", "()"),
    F(TERMINAL, "setDefaultAgentDisabled", "(bool value)", "()"),
    F(TERMINAL, "setLiveData", "(string liveData)", "()"),
    F(TERMINAL, "setManager", "(address manager)", "()"),
    F(TERMINAL, "setVault", "(address vault)", "()"),
    F(TERMINAL, "transferOwnership", "(address newOwner)", "()"),
    F(TERMINAL, "vault", "()", "(address)"),
    E(TERMINAL, "AgentSet", "(address account,address agent,bool value)"),
    E(TERMINAL, "BaseDataUpdated", "(address provider)"),
    E(TERMINAL, "DefaultAgentDisabled", "(address master,bool value)"),
    E(TERMINAL, "LiveDataUpdated", "(address provider)"),
    E(TERMINAL, "MasterAnnounced", "(address provider,address master)"),
    E(TERMINAL, "OwnershipTransferred", "(address indexed previousOwner,address indexed newOwner)"),
    E(TERMINAL, "ProviderAnnounced", "(address provider,address master)"),
    E(TERMINAL, "ProviderRemoved", "(address provider)"),
    E(TERMINAL, "RemoveContainer", "(address provider,address source)"),
    R(TERMINAL, "OwnableInvalidOwner", "(address owner)"),
    R(TERMINAL, "OwnableUnauthorizedAccount", "(address account)"),
    F(VAULT, "MIN_LOCKUP_PER_SOURCE", "()", "(uint256)"),
    F(VAULT, "UNBONDING_PERIOD", "()", "(uint256)"),
    F(VAULT, "balanceOf", "(address)", "(uint256)"),
    F_MAIN(VAULT, "cancelUnbonding", "()", "()"),
    F(VAULT, "claim", "()", "()"),
    F(VAULT, "deposit", "(address account)", "()"),
    F_MAIN(VAULT, "emergencyExit", "(address account)", "()"),
    F(VAULT, "forceReleasePayment", "(address client,address task)", "()"),
    F(VAULT, "freezePayment", "(address client,address task,uint256 amount)", "()"),
    F(VAULT, "frozenPayment", "(address)", "(uint256)"),
    F(VAULT, "getBalanceOf", "(address account)", "(uint256)"),
    F(VAULT, "getLockupOf", "(address account)", "(uint256)"),
    F(VAULT, "isEligible", "(address account)", "(bool)"),
    F(VAULT, "isWhitelisted", "(address)", "(bool)"),
    F(VAULT, "lock", "(uint256 amount)", "()"),
    F(VAULT, "lockupOf", "(address)", "(uint256)"),
    F(VAULT, "manager", "()", "(address)"),
    F(VAULT, "nexus", "()", "(address)"),
    F(VAULT, "processPayment", "(address client,address provider,address task,uint256 amount)",
      "()"),
    F(VAULT, "releasePayment", "(address client,address task)", "()"),
    F(VAULT, "sanction", "(address account,uint256 amount)", "()"),
    F(VAULT, "sanctionOf", "(address)", "(uint256)"),
    F(VAULT, "sanctionedAmount", "()", "(uint256)"),
    F(VAULT, "setMaxUnbondingPeriod", "(uint256 period)", "()"),
    F(VAULT, "setMinLockupPerSource", "(uint256 amount)", "()"),
    F(VAULT, "setTerminal", "(address terminal)", "()"),
    F(VAULT, "setWhitelist", "(address account,bool value)", "()"),
    F(VAULT, "terminal", "()", "(address)"),
    F(VAULT, "totalEarningsOf", "(address)", "(uint256)"),
    F(VAULT, "unbond", "(uint256 amount)", "()"),
    F(VAULT, "unbondingOf", "(address)", "(uint256)"),
    F(VAULT, "unbondingTimestamp", "(address)", "(uint256)"),
    F(VAULT, "waive", "(address account,uint256 amount)", "()"),
    F(VAULT, "withdraw", "(uint256 amount)", "()"),
    F_MAIN(VAULT, "withdrawSanctionOf", "(address account)", "()"),
    E(VAULT, "Claimed", "(address account,uint256 amount)"),
    E(VAULT, "Deposited", "(address account,uint256 amount)"),
    E(VAULT, "Locked", "(address account,uint256 amount)"),
    E(VAULT, "Sanctioned", "(address account,uint256 amount)"),
    E(VAULT, "Unbonded", "(address account,uint256 amount)"),
    E_MAIN(VAULT, "UnbondingCanceled", "(address account,uint256 amount)"),
    E(VAULT, "Waived", "(address account,uint256 amount)"),
    E(VAULT, "Withdrawn", "(address account,uint256 amount)"),
    F(MANAGER, "CONTROLLER", "()", "(bytes32)"),
    F(MANAGER, "DEFAULT_ADMIN_ROLE", "()", "(bytes32)"),
    F(MANAGER, "JUDGE", "()", "(bytes32)"),
    F(MANAGER, "PROVIDER", "()", "(bytes32)"),
    F(MANAGER, "getRoleAdmin", "(bytes32 role)", "(bytes32)"),
    F(MANAGER, "grantRole", "(bytes32 role,address account)", "()"),
    F(MANAGER, "hasRole", "(bytes32 role,address account)", "(bool)"),
    F(MANAGER, "renounceRole", "(bytes32 role,address callerConfirmation)", "()"),
    F(MANAGER, "revokeRole", "(bytes32 role,address account)", "()"),
    F(MANAGER, "supportsInterface", "(bytes4 interfaceId)", "(bool)"),
    E(MANAGER, "RoleAdminChanged",
      "(bytes32 indexed role,bytes32 indexed previousAdminRole,bytes32 indexed newAdminRole)"),
    E(MANAGER, "RoleGranted",
      "(bytes32 indexed role,address indexed account,address indexed sender)"),
    E(MANAGER, "RoleRevoked",
      "(bytes32 indexed role,address indexed account,address indexed sender)"),
    R(MANAGER, "AccessControlBadConfirmation", "()"),
    R(MANAGER, "AccessControlUnauthorizedAccount", "(address account,bytes32 neededRole)"),
    F(SOURCE, "getClient", "()", "(address)"),
    F(SOURCE, "getRegistrantCount", "()", "(uint256)"),
    F(SOURCE, "getRegistrantId", "(address provider)", "(uint256)"),
    F(SOURCE, "getRegistrants", "(uint256 lower,uint256 upper)", "(address[])"),
    F(SOURCE, "getSourceParams", "()", "(" SOURCE_PARAMS ")"),
    F(SOURCE, "getStatus", "()", "(uint8)"),
    F(SOURCE, "getTaskCount", "()", "(uint256)"),
    F(SOURCE, "getTasks", "(uint256 lower,uint256 upper)", "(address[])"),
    F(SOURCE, "nexus", "()", "(address)"),
    F(SOURCE, "owner", "()", "(address)"),
    F(SOURCE, "preferredEnvironmentOf", "(address)", "(uint8)"),
    F(SOURCE, "publishTask", "(address task)", "()"),
    F(SOURCE, "register", "(address provider,uint8 preferredEnvironment)", "(uint256)"),
    F(SOURCE, "registrantId", "(address)", "(uint256)"),
    F(SOURCE, "registrants", "(uint256)", "(address)"),
    F(SOURCE, "renounceOwnership", "()", "()"),
    F(SOURCE, "setSourceParams", "(" SOURCE_PARAMS " sourceParams)", "()"),
    F(SOURCE, "setStatus", "(uint8 status)", "()"),
    F(SOURCE, "sourceParams", "()", SOURCE_PARAMS),
    F(SOURCE, "status", "()", "(uint8)"),
    F(SOURCE, "tasks", "(uint256)", "(address)"),
    F(SOURCE, "transferOwnership", "(address newOwner)", "()"),
    F(SOURCE, "unregister", "(address provider)", "()"),
    E(SOURCE, "OwnershipTransferred", "(address indexed previousOwner,address indexed newOwner)"),
    R(SOURCE, "OwnableInvalidOwner", "(address owner)"),
    R(SOURCE, "OwnableUnauthorizedAccount", "(address account)"),
    F(TASK, "attempt", "(address provider)", "()"),
    F(TASK, "attemptTimestamps", "(uint256)", "(uint256)"),
    F(TASK, "attempterId", "(address)", "(uint256)"),
    F(TASK, "attempters", "(uint256)", "(address)"),
    F(TASK, "deliveryMethod", "()", "(uint8)"),
    F(TASK, "getAttemptCount", "()", "(uint256)"),
    F(TASK, "getAttemptTimestamps", "(uint256 lower,uint256 upper)", "(uint256[])"),
    F(TASK, "getAttempterId", "(address provider)", "(uint256)"),
    F(TASK, "getAttempters", "(uint256 lower,uint256 upper)", "(address[])"),
    F(TASK, "getDeliveryMethod", "()", "(uint8)"),
    F(TASK, "getExpiryTime", "()", "(uint256)"),
    F(TASK, "getPayment", "()", "(uint256)"),
    F(TASK, "getResponsesOf", "(uint256 lower,uint256 upper)", "(address[])"),
    F(TASK, "getSource", "()", "(address)"),
    F(TASK, "getStatus", "()", "(uint8)"),
    F(TASK, "isAlreadySubmitted", "(bytes32)", "(bool)"),
    F(TASK, "owner", "()", "(address)"),
    F(TASK, "renounceOwnership", "()", "()"),
    F(TASK, "responseOf", "(address)", "(address)"),
    F(TASK, "setStatus", "(uint8 status)", "()"),
    F(TASK, "status", "()", "(uint8)"),
    F(TASK, "submitResponse", "(address response,address provider)", "()"),
    F(TASK, "taskParams", "()", TASK_PARAMS),
    F(TASK, "transferOwnership", "(address newOwner)", "()"),
    F(TASK, "winningProvider", "()", "(address)"),
    E(TASK, "OwnershipTransferred", "(address indexed previousOwner,address indexed newOwner)"),
    R(TASK, "OwnableInvalidOwner", "(address owner)"),
    R(TASK, "OwnableUnauthorizedAccount", "(address account)"),
    F(RESPONSE, "confirm", "()", "()"),
    F(RESPONSE, "confirmedFinal", "()", "(bool)"),
    F(RESPONSE, "getResponseParams", "()", "(" RESPONSE_PARAMS ")"),
    F(RESPONSE, "getStatus", "()", "(uint8)"),
    F(RESPONSE, "owner", "()", "(address)"),
    F(RESPONSE, "renounceOwnership", "()", "()"),
    F(RESPONSE, "responseParams", "()", RESPONSE_PARAMS),
    F(RESPONSE, "responseTimestamp", "()", "(uint256)"),
    F(RESPONSE, "setStatus", "(uint8 status)", "()"),
    F(RESPONSE, "status", "()", "(uint8)"),
    F(RESPONSE, "transferOwnership", "(address newOwner)", "()"),
    E(RESPONSE, "OwnershipTransferred", "(address indexed previousOwner,address indexed newOwner)"),
    R(RESPONSE, "OwnableInvalidOwner", "(address owner)"),
    R(RESPONSE, "OwnableUnauthorizedAccount", "(address account)"),
};
/* clang-format on */

const size_t upstream_abi_n = ARRAY_LEN(upstream_abi);

static const char *const contracts[] = {
    [UPSTREAM_NEXUS] = "Nexus",       [UPSTREAM_CONTROLLER] = "Controller",
    [UPSTREAM_TERMINAL] = "Terminal", [UPSTREAM_VAULT] = "Vault",
    [UPSTREAM_MANAGER] = "Manager",   [UPSTREAM_SOURCE] = "Source",
    [UPSTREAM_TASK] = "Task",         [UPSTREAM_RESPONSE] = "Response",
};

static const struct {
    const char *words[6];
} enums[] = {
    [UPSTREAM_SOURCE_STATUS] = {{"active", "inactive"}},
    [UPSTREAM_TASK_STATUS] = {{"new", "attempted", "responded", "canceled", "expired",
                               "finalized"}},
    [UPSTREAM_RESPONSE_STATUS] = {{"submitted", "confirmed"}},
    [UPSTREAM_DELIVERY_METHOD] = {{"manual_confirmation", "first_response"}},
};

const char *upstream_contract_name(enum upstream_contract c)
{
    return contracts[c];
}

const char *upstream_enum_word(enum upstream_enum e, uint64_t value)
{
    return value < ARRAY_LEN(enums[e].words) ? enums[e].words[value] : NULL;
}
