using OT.Numerics;

namespace OT.Applications.Routing;

/// <summary>Lists of a routing, by expert and by token. A router fills it again and again: it grows to what it has to hold and then allocates nothing.</summary>
public sealed class RoutingResult
{
    int[] _capacities = [];
    RoutingSummary[] _summaries = [];
    int[] _tokenStarts = [];
    int[] _expertStarts = [];
    int[] _experts = [];
    int[] _tokens = [];
    float[] _tokenWeights = [];
    float[] _expertWeights = [];
    int[] _dropped = [];
    int[] _droppedStarts = [];
    int[] _next = [];

    /// <summary>Groups, each routed on its own.</summary>
    public int Groups { get; private set; }

    /// <summary>Tokens of a group.</summary>
    public int Tokens { get; private set; }

    /// <summary>Experts.</summary>
    public int Experts { get; private set; }

    /// <summary>Whether the experts have room for all tokens of a group. Where not, as many tokens as are too many are dropped, those that lose least by it.</summary>
    public bool IsFeasible { get; private set; }

    /// <summary>Tokens that each expert takes at most, of one group.</summary>
    public ReadOnlySpan<int> Capacities => _capacities.AsSpan(0, Experts);

    /// <summary>How each group was routed.</summary>
    public ReadOnlySpan<RoutingSummary> Summaries => _summaries.AsSpan(0, Groups);

    /// <summary>Tokens of an expert, increasing, counted from 0 in each group.</summary>
    /// <param name="group">0 … <see cref="Groups"/> − 1.</param>
    /// <param name="expert">0 … <see cref="Experts"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such group or expert.</exception>
    public ReadOnlySpan<int> TokensOf(int group, int expert) => _tokens.AsSpan(OfExpert(group, expert));

    /// <summary>Combine weights of the tokens of an expert, as <see cref="TokensOf"/> lists them.</summary>
    /// <inheritdoc cref="TokensOf"/>
    public ReadOnlySpan<float> WeightsOfExpert(int group, int expert) => _expertWeights.AsSpan(OfExpert(group, expert));

    /// <summary>Experts of a token, increasing; empty where it was dropped.</summary>
    /// <param name="group">0 … <see cref="Groups"/> − 1.</param>
    /// <param name="token">0 … <see cref="Tokens"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such group or token.</exception>
    public ReadOnlySpan<int> ExpertsOf(int group, int token) => _experts.AsSpan(OfToken(group, token));

    /// <summary>Combine weights of the experts of a token, as <see cref="ExpertsOf"/> lists them.</summary>
    /// <inheritdoc cref="ExpertsOf"/>
    public ReadOnlySpan<float> WeightsOfToken(int group, int token) => _tokenWeights.AsSpan(OfToken(group, token));

    /// <summary>Tokens of a group that no expert took, increasing.</summary>
    /// <param name="group">0 … <see cref="Groups"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such group.</exception>
    public ReadOnlySpan<int> Dropped(int group)
    {
        Guard.Index(group, Groups);
        return _dropped.AsSpan(_droppedStarts[group].._droppedStarts[group + 1]);
    }

    internal void Begin(int groups, int tokens, ReadOnlySpan<int> capacities, bool isFeasible, long mostPairs)
    {
        (Groups, Tokens, Experts, IsFeasible) = (groups, tokens, capacities.Length, isFeasible);
        int pairs = Guard.ArrayLength(groups, mostPairs, "Lists");
        Grow(ref _capacities, Experts);
        Grow(ref _summaries, groups);
        Grow(ref _tokenStarts, (groups * tokens) + 1);
        Grow(ref _expertStarts, (groups * Experts) + 1);
        Grow(ref _experts, pairs);
        Grow(ref _tokens, pairs);
        Grow(ref _tokenWeights, pairs);
        Grow(ref _expertWeights, pairs);
        Grow(ref _dropped, groups * tokens);
        Grow(ref _droppedStarts, groups + 1);
        Grow(ref _next, Experts);
        capacities.CopyTo(_capacities);
    }

    /// <summary>Adds the next token's experts, which are then to be given in increasing order.</summary>
    internal void AddToken(int group, int token, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights)
    {
        int at = (group * Tokens) + token,
            start = _tokenStarts[at];
        if (token == 0)
            _droppedStarts[group + 1] = _droppedStarts[group];
        experts.CopyTo(_experts.AsSpan(start));
        weights.CopyTo(_tokenWeights.AsSpan(start));
        _tokenStarts[at + 1] = start + experts.Length;
        if (experts.IsEmpty)
            _dropped[_droppedStarts[group + 1]++] = token;
    }

    /// <summary>Makes the lists of the experts from those of the tokens, and the summary.</summary>
    internal void Finish(int group, RoutingSummary summary)
    {
        int first = group * Tokens,
            from = _tokenStarts[first],
            to = _tokenStarts[first + Tokens];
        Span<int> next = _next.AsSpan(0, Experts);
        next.Clear();
        foreach (int expert in _experts.AsSpan(from..to))
            next[expert]++;
        (int least, int most, int at) = (int.MaxValue, 0, from);
        for (int j = 0; j < Experts; j++)
        {
            (least, most) = (Math.Min(least, next[j]), Math.Max(most, next[j]));
            (next[j], at) = (at, at + next[j]);
            _expertStarts[(group * Experts) + j + 1] = at;
        }
        for (int token = 0; token < Tokens; token++)
        {
            for (int k = _tokenStarts[first + token]; k < _tokenStarts[first + token + 1]; k++)
            {
                int slot = next[_experts[k]]++;
                (_tokens[slot], _expertWeights[slot]) = (token, _tokenWeights[k]);
            }
        }
        _summaries[group] = summary with
        {
            Dropped = _droppedStarts[group + 1] - _droppedStarts[group],
            MinLoad = least,
            MaxLoad = most,
            MeanLoad = (to - from) / (double)Experts,
        };
    }

    Range OfExpert(int group, int expert)
    {
        Guard.Index(group, Groups);
        Guard.Index(expert, Experts);
        int at = (group * Experts) + expert;
        return _expertStarts[at].._expertStarts[at + 1];
    }

    Range OfToken(int group, int token)
    {
        Guard.Index(group, Groups);
        Guard.Index(token, Tokens);
        int at = (group * Tokens) + token;
        return _tokenStarts[at].._tokenStarts[at + 1];
    }

    static void Grow<T>(ref T[] array, int length)
    {
        if (array.Length < length)
            array = new T[length];
    }
}
