public import Hummingbird
internal import Crypto

