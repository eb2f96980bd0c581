using System.Globalization;
using System.Numerics.Tensors;
using OT.Numerics;
using OT.Results;

namespace OT.Applications.Routing;

/// <summary>Gives tokens to experts: as similar as can be, loads balanced, no expert beyond its capacity.</summary>
/// <remarks>
/// <para>
/// Tokens ship a mass of 1 each to experts that take masses in proportion to their capacities, at the cost of the negative similarity plus <c>γ/2 ‖P‖²</c>, with at most so many tokens for an expert
/// (<see cref="RoutingMode.ExpertsChoose"/>) or experts for a token (<see cref="RoutingMode.TokensChoose"/>). The convex relaxation's dual has one or two prices for each expert once the tokens are eliminated, and is maximised in them; then
/// lists within the capacities are made. Every token is routed where the capacities have room for all.
/// </para>
/// <para>
/// One pass of <c>O(tokens · experts)</c> a step, memory <c>O(tokens · experts + experts²)</c>, kept from call to call: a call of a size seen before allocates nothing. The same bits for any number of threads; of equal scores the lowest expert wins, of
/// equal claims the lowest token. One call at a time. See docs/theory/routing.md; problem after Liu, Puigcerver and Blondel, ICLR 2023.
/// </para>
/// </remarks>
public sealed class ExpertRouter : IDisposable
{
    const int Rounding = 4; // capacities by factor are multiples of it

    readonly RouterOptions _options;
    readonly RowBlocks _blocks;
    readonly TokenTiles _tiles = new();
    readonly TokenChoices _choices = new();
    readonly TokenPass _pass;
    readonly PriceAscent _ascent;
    readonly RoutingLists _lists;
    int[] _capacities = [];
    double[] _masses = [];
    double[] _limits = [];

    /// <summary>Configures a router.</summary>
    /// <param name="options">How to route; defaults when left out.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public ExpertRouter(RouterOptions? options = null)
    {
        _options = options ?? new RouterOptions();
        _options.Validate();
        _blocks = new RowBlocks(_options.Threads);
        _pass = new TokenPass(_tiles, _blocks);
        _ascent = new PriceAscent(_tiles, _pass);
        _lists = new RoutingLists(_tiles, _pass, _choices, _blocks);
    }

    /// <summary>Routes one group into a new result.</summary>
    /// <inheritdoc cref="Route(ReadOnlySpan{float}, int, int, int, RoutingResult)"/>
    public RoutingResult Route(ReadOnlySpan<float> logits, int tokens, int experts)
    {
        var result = new RoutingResult();
        Route(logits, 1, tokens, experts, result);
        return result;
    }

    /// <summary>Routes groups, each on its own.</summary>
    /// <param name="logits">Groups × tokens × experts, row-major, finite.</param>
    /// <param name="groups">Groups, at least 1.</param>
    /// <param name="tokens">Tokens of a group, at least 1.</param>
    /// <param name="experts">Experts, at least 1.</param>
    /// <param name="result">Receives lists and summaries; what it held is gone.</param>
    /// <exception cref="ArgumentException">
    /// A count is 0, the logits are of another length or not finite, a given capacity is below 1 or above the number of tokens, the capacities are not as many as the experts, or a token may go to more experts than there are.
    /// </exception>
    public void Route(ReadOnlySpan<float> logits, int groups, int tokens, int experts, RoutingResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        ArgumentOutOfRangeException.ThrowIfLessThan(groups, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(experts, 1);
        int length = Guard.ArrayLength(tokens, experts, "A group of logits");
        Guard.Length(logits.Length, Guard.ArrayLength(groups, length, "Logits"), nameof(logits));
        CheckFinite(logits, tokens, experts);
        bool isFeasible = Prepare(tokens, experts, out int columns);
        long most = Math.Min((long)tokens * _choices.Width, Sum(_capacities.AsSpan(0, experts)));
        result.Begin(groups, tokens, _capacities.AsSpan(0, experts), isFeasible, most);
        for (int group = 0; group < groups; group++)
            result.Finish(group, RouteGroup(logits.Slice(group * length, length), group, experts, columns, result));
    }

    /// <summary>Finds capacities, masses and limits, and makes room.</summary>
    /// <returns>Whether the experts have room for all tokens; where not a last column takes those that are dropped.</returns>
    bool Prepare(int tokens, int experts, out int columns)
    {
        bool tokensChoose = _options.Mode == RoutingMode.TokensChoose;
        int perToken = tokensChoose ? _options.ExpertsPerToken : 1;
        if (perToken > experts)
            throw new ArgumentException(Text($"ExpertsPerToken is {perToken}: there are {experts} experts."), nameof(experts));
        if (_capacities.Length < experts + 1)
            (_capacities, _masses, _limits) = (new int[experts + 1], new double[experts + 1], new double[experts + 1]);
        SetCapacities(tokens, experts, perToken);
        long room = Sum(_capacities.AsSpan(0, experts));
        columns = room < tokens ? experts + 1 : experts;
        _capacities[experts] = (int)Math.Max(0, tokens - room);
        double perPlace = tokens / (double)Math.Max(room, tokens);
        for (int j = 0; j < columns; j++)
            (_masses[j], _limits[j]) = (_capacities[j] * perPlace, _capacities[j]);
        // Where every place is needed a token gets one and no more.
        int further = room <= tokens ? 1 : (int)Math.Min(columns, (2 * ((room + tokens - 1) / tokens)) + 2);
        _tiles.Reserve(tokens, experts, columns);
        _pass.Reserve(_options.Gamma, tokensChoose ? perToken : columns);
        _choices.Reserve(tokens, tokensChoose ? perToken : further);
        _lists.Reserve();
        return room >= tokens;
    }

    void SetCapacities(int tokens, int experts, int perToken)
    {
        Span<int> capacities = _capacities.AsSpan(0, experts);
        if (_options.Capacities.IsDefaultOrEmpty)
        {
            double needed = Math.Ceiling(_options.CapacityFactor * tokens * perToken / experts);
            capacities.Fill((int)Math.Min(tokens, Math.Ceiling(needed / Rounding) * Rounding));
            return;
        }
        if (_options.Capacities.Length != experts)
        {
            throw new ArgumentException(
                Text($"Capacities has {_options.Capacities.Length} elements: there are {experts} experts."),
                nameof(experts)
            );
        }
        _options.Capacities.AsSpan().CopyTo(capacities);
        for (int j = 0; j < experts; j++)
        {
            if (capacities[j] < 1 || capacities[j] > tokens)
                throw new ArgumentException(
                    Text($"Capacities[{j}] is {capacities[j]}: it must lie between 1 and the number of tokens, {tokens}."),
                    nameof(tokens)
                );
        }
    }

    RoutingSummary RouteGroup(ReadOnlySpan<float> logits, int group, int experts, int columns, RoutingResult result)
    {
        int tokens = _tiles.Tokens;
        _tiles.Load(logits, _options.Similarity == RoutingSimilarity.Softmax, _blocks);
        bool expertsChoose = _options.Mode == RoutingMode.ExpertsChoose,
            seek = expertsChoose && Sum(_capacities.AsSpan(0, columns)) > tokens;
        // Where the norm rules, s = r for every entry that a token has, so that it has γ/r of them.
        double perToken = Sum(_capacities.AsSpan(0, columns)) / (double)tokens;
        _ascent.Begin(_masses, _limits, seek, expertsChoose ? _options.Gamma / (2 * perToken * perToken) : 0);
        SolverStatus status = _ascent.Run(_options.Tolerance, _options.MaxPasses);
        double passes = _ascent.Passes;
        _ascent.Choose(_choices);
        _lists.Make(_capacities.AsSpan(0, columns), _options.Weights);
        _lists.Write(result, group, experts);
        double moved = _ascent.Value;
        for (int j = 0; j < columns; j++)
            moved += _pass.Price(j) * ((_lists.Masses[j] / tokens) - _ascent.Mass(j));
        return new RoutingSummary
        {
            Status = status,
            Passes = passes,
            Error = _ascent.Error,
            DualBound = _ascent.Value,
            Value = _lists.Value / tokens,
            Gap = (_lists.Value / tokens) - moved,
            Similarity = _lists.Similarity / tokens,
        };
    }

    static void CheckFinite(ReadOnlySpan<float> logits, int tokens, int experts)
    {
        if (float.IsFinite(TensorPrimitives.MaxMagnitude(logits)))
            return;
        int at = logits.IndexOfAnyExceptInRange(float.MinValue, float.MaxValue);
        int row = at / experts;
        throw new ArgumentException(
            Text(
                $"logits[{at}] (group {row / tokens}, token {row % tokens}, expert {at % experts}) is {logits[at]}: every logit must be finite."
            ),
            nameof(logits)
        );
    }

    static long Sum(ReadOnlySpan<int> values)
    {
        long sum = 0;
        foreach (int value in values)
            sum += value;
        return sum;
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Ends the threads.</summary>
    public void Dispose() => _blocks.Dispose();
}
