using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using OT.Numerics;

namespace OT.Applications.Routing;

/// <summary>Every token's best response to prices, and what the responses sum to: the dual of a routing and its gradient, in one pass.</summary>
/// <remarks>docs/theory/routing.md. A token takes experts by falling score <c>S_ij + g_j − r_j</c>, equal ones by index, until its mass is placed.</remarks>
internal sealed class TokenPass : IBlockWork
{
    const int Lanes = TokenTiles.Lanes;

    /// <summary>Scores found by one sweep over a tile.</summary>
    const int Levels = 4;

    readonly TokenTiles _tiles;
    readonly RowBlocks _blocks;
    readonly Scratch[] _scratch;
    float[] _prices = [];
    double[] _entry = [];
    double[] _sums = [];
    int _step;
    TokenChoices? _choices;

    sealed class Scratch
    {
        public float[] Scores = [];
        public int[] Experts = [];
    }

    public TokenPass(TokenTiles tiles, RowBlocks blocks)
    {
        (_tiles, _blocks) = (tiles, blocks);
        _scratch = new Scratch[blocks.Threads];
        for (int worker = 0; worker < _scratch.Length; worker++)
            _scratch[worker] = new Scratch();
    }

    int M => _tiles.Experts;

    int Stride => (4 * M) + 3;

    /// <summary>γ.</summary>
    public double Gamma { get; private set; }

    /// <summary>Experts of a token at most.</summary>
    public int Most { get; private set; }

    /// <summary>Least value r of <c>f + g − C</c> at which an expert is worth its price: <c>√(2γt)</c>, t the price of an entry.</summary>
    public ReadOnlySpan<double> Entry => _entry.AsSpan(0, M);

    /// <summary>Masses that the experts got.</summary>
    public ReadOnlySpan<double> Masses => _sums.AsSpan(0, M);

    /// <summary>Entries that the experts got; shares of them count as shares.</summary>
    public ReadOnlySpan<double> Counts => _sums.AsSpan(M, M);

    /// <summary>The tokens' part of the dual.</summary>
    public double Value => _sums[4 * M];

    /// <summary>Mean difference of a token's two highest scores.</summary>
    public double Margin => _sums[(4 * M) + 1] / Seen;

    /// <summary>Tokens that the last pass looked at.</summary>
    public double Seen => _sums[(4 * M) + 2];

    /// <summary>The mean difference over the tokens that have an expert first; over all where there is none.</summary>
    public double MarginAt(int expert) =>
        _sums[(2 * M) + expert] > 0 ? _sums[(3 * M) + expert] / _sums[(2 * M) + expert] : Margin;

    /// <summary>What the kernels add to a similarity: g − r.</summary>
    public float Score(int expert) => _prices[expert];

    /// <summary>g as the kernels have it.</summary>
    public double Price(int expert) => _prices[expert] + _entry[expert];

    /// <summary>Room for what the tiles hold.</summary>
    public void Reserve(double gamma, int most)
    {
        (Gamma, Most) = (gamma, most);
        if (_prices.Length < M)
            (_prices, _entry) = (new float[M], new double[M]);
        int sums = Math.Max(1, _tiles.Blocks) * Stride,
            scores = (M + Levels - 1) / Levels * Levels * Lanes;
        if (_sums.Length < sums)
            _sums = new double[sums];
        foreach (Scratch scratch in _scratch)
        {
            if (scratch.Scores.Length < scores)
                (scratch.Scores, scratch.Experts) = (new float[scores], new int[scores]);
        }
    }

    /// <summary>Makes a pass.</summary>
    /// <param name="g">Prices of mass.</param>
    /// <param name="t">Prices of an entry.</param>
    /// <param name="step">Every how many tiles one is looked at.</param>
    /// <param name="choices">Receives the tokens' choices; null for none.</param>
    public void Evaluate(ReadOnlySpan<double> g, ReadOnlySpan<double> t, int step, TokenChoices? choices)
    {
        (_step, _choices) = (step, choices);
        for (int j = 0; j < M; j++)
        {
            _entry[j] = Math.Sqrt(2 * Gamma * t[j]);
            _prices[j] = (float)(g[j] - _entry[j]);
        }
        int blocks = _tiles.Blocks;
        _blocks.Run(blocks, this);
        for (int block = 1; block < blocks; block++)
        {
            for (int k = 0; k < Stride; k++)
                _sums[k] += _sums[(block * Stride) + k];
        }
    }

    public void Run(int block, int worker)
    {
        Span<double> sums = _sums.AsSpan(block * Stride, Stride);
        sums.Clear();
        Scratch scratch = _scratch[worker];
        int end = Math.Min(_tiles.Tiles, (block + 1) * TokenTiles.PerBlock);
        for (int tile = (block * TokenTiles.PerBlock + _step - 1) / _step * _step; tile < end; tile += _step)
        {
            int first = tile * Lanes,
                count = Math.Min(Lanes, _tiles.Tokens - first),
                known = 0,
                lane = 0;
            while (lane < count)
            {
                Rank(_tiles.Tile(tile), scratch, known);
                known = Math.Min(M, known + Levels);
                while (lane < count && Respond(first + lane, lane, known, scratch, sums))
                    lane++;
            }
            sums[^1] += count;
        }
    }

    /// <summary>Finds the next scores of sixteen tokens, by falling score, then by expert, after those that are known.</summary>
    void Rank(ReadOnlySpan<float> tile, Scratch scratch, int known)
    {
        ref float values = ref MemoryMarshal.GetReference(tile);
        ref float prices = ref MemoryMarshal.GetArrayDataReference(_prices);
        ref float scores = ref MemoryMarshal.GetArrayDataReference(scratch.Scores);
        ref int experts = ref MemoryMarshal.GetArrayDataReference(scratch.Experts);
        Vector512<float> s1 = Vector512.Create(float.NegativeInfinity),
            s2 = s1,
            s3 = s1,
            s4 = s1,
            none = s1,
            last = s1;
        Vector512<float> e1 = Vector512<float>.Zero,
            e2 = e1,
            e3 = e1,
            e4 = e1;
        Vector512<int> lastExpert = Vector512<int>.Zero,
            expert = Vector512<int>.Zero;
        if (known > 0)
        {
            last = Vector512.LoadUnsafe(ref scores, (nuint)((known - 1) * Lanes));
            lastExpert = Vector512.LoadUnsafe(ref experts, (nuint)((known - 1) * Lanes));
        }
        for (int j = 0; j < M; j++)
        {
            Vector512<float> x =
                Vector512.LoadUnsafe(ref values, (nuint)(j * Lanes)) + Vector512.Create(Unsafe.Add(ref prices, j));
            Vector512<float> e = expert.AsSingle();
            if (known > 0)
            {
                Vector512<float> later =
                    Vector512.LessThan(x, last)
                    | (Vector512.Equals(x, last) & Vector512.GreaterThan(expert, lastExpert).AsSingle());
                x = Vector512.ConditionalSelect(later, x, none);
            }
            Vector512<float> above1 = Vector512.GreaterThan(x, s1),
                above2 = Vector512.GreaterThan(x, s2),
                above3 = Vector512.GreaterThan(x, s3),
                above4 = Vector512.GreaterThan(x, s4);
            s4 = Vector512.ConditionalSelect(above4, Vector512.ConditionalSelect(above3, s3, x), s4);
            e4 = Vector512.ConditionalSelect(above4, Vector512.ConditionalSelect(above3, e3, e), e4);
            s3 = Vector512.ConditionalSelect(above3, Vector512.ConditionalSelect(above2, s2, x), s3);
            e3 = Vector512.ConditionalSelect(above3, Vector512.ConditionalSelect(above2, e2, e), e3);
            s2 = Vector512.ConditionalSelect(above2, Vector512.ConditionalSelect(above1, s1, x), s2);
            e2 = Vector512.ConditionalSelect(above2, Vector512.ConditionalSelect(above1, e1, e), e2);
            s1 = Vector512.ConditionalSelect(above1, x, s1);
            e1 = Vector512.ConditionalSelect(above1, e, e1);
            expert += Vector512<int>.One;
        }
        nuint to = (nuint)(known * Lanes);
        s1.StoreUnsafe(ref scores, to);
        s2.StoreUnsafe(ref scores, to + Lanes);
        s3.StoreUnsafe(ref scores, to + (2 * Lanes));
        s4.StoreUnsafe(ref scores, to + (3 * Lanes));
        e1.AsInt32().StoreUnsafe(ref experts, to);
        e2.AsInt32().StoreUnsafe(ref experts, to + Lanes);
        e3.AsInt32().StoreUnsafe(ref experts, to + (2 * Lanes));
        e4.AsInt32().StoreUnsafe(ref experts, to + (3 * Lanes));
    }

    /// <summary>One token's response, added to the sums; false where it needs more scores than are known.</summary>
    bool Respond(int token, int lane, int known, Scratch scratch, Span<double> sums)
    {
        ReadOnlySpan<float> scores = scratch.Scores.AsSpan(lane);
        ReadOnlySpan<int> experts = scratch.Experts.AsSpan(lane);
        int whole = Fill(scores, experts, known, out double f, out double share);
        if (whole < 0)
            return false;
        Span<double> masses = sums[..M],
            counts = sums.Slice(M, M);
        double perMass = 1 / Gamma,
            value = f;
        for (int k = 0; k < whole; k++)
        {
            int j = experts[k * Lanes];
            double r = _entry[j],
                s = f + scores[k * Lanes] + r;
            masses[j] += s * perMass;
            counts[j]++;
            value -= 0.5 * perMass * ((s * s) - (r * r));
        }
        if (share > 0)
        {
            int j = experts[whole * Lanes];
            masses[j] += share * _entry[j] * perMass;
            counts[j] += share;
        }
        double margin = M > 1 ? scores[0] - scores[Lanes] : 0;
        sums[(2 * M) + experts[0]]++;
        sums[(3 * M) + experts[0]] += margin;
        sums[4 * M] += value;
        sums[(4 * M) + 1] += margin;
        if (_choices is { } choices)
            Offer(choices, token, scores, experts, Most < M ? whole : known, (float)margin);
        return true;
    }

    /// <summary>Hands choices over: those beside the first by what the token gains from them at the prices, given those before.</summary>
    void Offer(TokenChoices choices, int token, ReadOnlySpan<float> scores, ReadOnlySpan<int> experts, int count, float margin)
    {
        choices.Begin(token, experts[0], M > 1 ? margin : float.PositiveInfinity);
        // Values less the first: Σ [f + v] = γ costs f − Σ [f + v]²/2γ.
        double first = scores[0] + _entry[experts[0]],
            sum = 0,
            squares = 0,
            cost = Gamma / 2;
        for (int k = 1; k < Math.Min(count, choices.Width); k++)
        {
            double r = _entry[experts[k * Lanes]],
                value = scores[k * Lanes] + r - first,
                f = (Gamma - sum - value) / (k + 1);
            if (f + value <= 0)
                continue;
            (sum, squares) = (sum + value, squares + (value * value));
            double next = f - (((k + 1) * f * f) + (2 * f * sum) + squares) / (2 * Gamma);
            choices.Add(token, k, experts[k * Lanes], (float)(cost - next - (r * r / (2 * Gamma))));
            cost = next;
        }
    }

    /// <summary>
    /// f with <c>Σ P = 1</c>: experts join at <c>f = −score</c> with a jump of r. <paramref name="share"/> is the part of the jump of the next one that is needed.
    /// </summary>
    /// <returns>Experts wholly taken; −1 where more scores are needed.</returns>
    int Fill(ReadOnlySpan<float> scores, ReadOnlySpan<int> experts, int known, out double f, out double share)
    {
        double sum = 0;
        (f, share) = (0, 0);
        for (int q = 0; ; q++)
        {
            if (q == Most || q == M)
            {
                f = (Gamma - sum) / q;
                return q;
            }
            if (q == known)
                return -1;
            double joins = -scores[q * Lanes],
                r = _entry[experts[q * Lanes]],
                before = (q * joins) + sum;
            if (before >= Gamma)
            {
                f = (Gamma - sum) / q;
                return q;
            }
            if (before + r >= Gamma)
            {
                (f, share) = (joins, (Gamma - before) / r);
                return q;
            }
            sum += r - joins;
        }
    }
}
