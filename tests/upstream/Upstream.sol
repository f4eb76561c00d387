// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

// Upstream's contracts as far as a mirror sees them: the same functions, events and structs by their published ABI, with
// nothing behind them. Upstream publishes no source code; this is not it.

struct SourceParams {
    address client;
    string imageMetadataUrl;
    uint8 imageEnvironments;
    uint256 minPayment;
    uint256 minAvailableLockup;
    uint256 maxExpiryDuration;
    bool privacyEnabled;
    string optionalParamsUrl;
    uint8 deliveryMethod;
    uint256 lastUpdateTime;
}

struct TaskParams {
    address source;
    string config;
    uint256 expiryTime;
    uint256 payment;
}

struct ResponseParams {
    address task;
    address provider;
    string data;
    uint256 payment;
}

contract UpstreamSource {
    SourceParams private params;

    constructor(SourceParams memory p) {
        params = p;
    }

    function getSourceParams() external view returns (SourceParams memory) {
        return params;
    }

    function setSourceParams(SourceParams memory p) external {
        params = p;
    }
}

contract UpstreamTask {
    TaskParams public taskParams;

    constructor(TaskParams memory p) {
        taskParams = p;
    }
}

contract UpstreamResponse {
    ResponseParams private params;

    constructor(ResponseParams memory p) {
        params = p;
    }

    function getResponseParams() external view returns (ResponseParams memory) {
        return params;
    }
}

/// Answers every call with the same bytes, or reverts without any.
contract Answers {
    bytes private answer;

    constructor(bytes memory a) {
        answer = a;
    }

    function set(bytes memory a) external {
        answer = a;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        require(answer.length > 0);
        return answer;
    }
}

/// A task whose config is `size` bytes.
contract HugeTask {
    uint256 private immutable size;

    constructor(uint256 n) {
        size = n;
    }

    function taskParams() external view returns (address, string memory, uint256, uint256) {
        return (address(this), string(new bytes(size)), 1, 2);
    }
}

contract Nexus {
    event SourcePublished(address source);
    event SourceUpdated(address source, SourceParams sourceParams);
    event SourceStatusChanged(address source, uint8 status);
    event Registered(address provider, uint256 registrantId, address source, uint8 preferredEnvironment);
    event TaskPublished(address task, address source);
    event TaskStatusChanged(address task, uint8 status);
    event Attempted(address task, address provider, uint256 suggestedPayment);
    event ResponseSubmitted(address response, address task);
    event ResponseStatusChanged(address response, uint8 status);

    function publishSource(SourceParams memory p) external {
        emit SourcePublished(address(new UpstreamSource(p)));
    }

    function updateSource(address source, SourceParams memory p) external {
        UpstreamSource(source).setSourceParams(p);
        emit SourceUpdated(source, p);
    }

    function inactivateSource(address source) external {
        emit SourceStatusChanged(source, 1);
    }

    function register(address source, address provider, uint8 preferredEnvironment) external {
        emit Registered(provider, 1, source, preferredEnvironment);
    }

    /// The real one is the Controller's; the event is the Nexus's.
    function publishTask(TaskParams memory p) external {
        emit TaskPublished(address(new UpstreamTask(p)), p.source);
    }

    function attempt(address task, address provider, uint256 suggestedPayment) external {
        emit Attempted(task, provider, suggestedPayment);
        emit TaskStatusChanged(task, 1);
    }

    /// The first response of a source that does not wait for its client: all at once, status first.
    function submitResponse(ResponseParams memory p) external {
        address response = address(new UpstreamResponse(p));
        emit TaskStatusChanged(p.task, 5);
        emit ResponseSubmitted(response, p.task);
        emit ResponseStatusChanged(response, 1);
    }

    function setTaskStatus(address task, uint8 status) external {
        emit TaskStatusChanged(task, status);
    }

    // ---- what upstream's own would never say ----

    function sayPublished(address source) external {
        emit SourcePublished(source);
    }

    function sayTask(address task, address source) external {
        emit TaskPublished(task, source);
    }

    function sayAttempted(address task, address provider, uint256 payment) external {
        emit Attempted(task, provider, payment);
    }

    function sayResponse(address response, address task) external {
        emit ResponseSubmitted(response, task);
    }

    /// SourceUpdated with an imageMetadataUrl of `size` NULs (a multiple of 32): built by hand, since copying costs gas.
    function sayUpdated(address source, uint256 size) external {
        bytes32 topic = SourceUpdated.selector;
        assembly {
            let p := mload(0x40)
            mstore(p, source)
            mstore(add(p, 0x20), 0x40) // the struct
            mstore(add(p, 0x60), 0x140) // its first string
            mstore(add(p, 0x120), add(0x160, size)) // its second, empty
            mstore(add(p, 0x180), size)
            log1(p, add(size, 0x1c0), topic)
        }
    }

    function sayAnything(bytes32 topic, bytes memory data) external {
        assembly {
            log1(add(data, 32), mload(data), topic)
        }
    }
}
