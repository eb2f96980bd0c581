namespace OT.Applications.Routing;

/// <summary>What tokens ask for: one expert that they need, with the score lost at the next, and further ones by falling worth.</summary>
internal sealed class TokenChoices
{
    int[] _experts = [];
    float[] _worth = [];
    float[] _regrets = [];

    /// <summary>Choices of a token at most.</summary>
    public int Width { get; private set; }

    public void Reserve(int tokens, int width)
    {
        Width = width;
        if (_experts.Length < (long)tokens * width)
            (_experts, _worth) = (new int[(long)tokens * width], new float[(long)tokens * width]);
        if (_regrets.Length < tokens)
            _regrets = new float[tokens];
    }

    /// <summary>Experts of a token, the one it needs first; −1 for none.</summary>
    public Span<int> Experts(int token) => _experts.AsSpan(token * Width, Width);

    /// <summary>Score above price of choice k, of the further ones.</summary>
    public float Worth(int token, int k) => _worth[(token * Width) + k];

    /// <summary>What the token loses where it does not get its first choice.</summary>
    public float Regret(int token) => _regrets[token];

    public void Begin(int token, int expert, float regret)
    {
        Span<int> experts = Experts(token);
        experts.Fill(-1);
        experts[0] = expert;
        _regrets[token] = regret;
    }

    public void Add(int token, int k, int expert, float worth)
    {
        _experts[(token * Width) + k] = expert;
        _worth[(token * Width) + k] = worth;
    }
}
