internal import Crypto
public import Hummingbird
