using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using OT.Numerics;

namespace OT.Solvers.Sparse;

/// <summary>
/// One row's best response to prices: <c>p = argmax over p ≥ 0, Σ p = a of ⟨v, p⟩ − γ/2 ‖p‖²_(k) − σ/2 ‖p‖²</c> with <c>v_j = g_j − C_ij</c>, ‖·‖_(k) the k-support norm.
/// </summary>
/// <remarks>
/// Head: <c>p = s/(γ + σ)</c> with s = f + v. Tail, where more than k entries would be positive: <c>p = (s − γL)/σ</c>, below the level L. Values are kept less their maximum, so that prices of
/// any size lose no digits. Scratch for one thread. docs/theory/sparse.md derives every line.
/// </remarks>
/// <param name="gamma">γ, positive.</param>
/// <param name="sigma">σ, not negative; 0 for the problem itself.</param>
/// <param name="most">k.</param>
internal sealed class RowResponse(double gamma, double sigma, int most)
{
    const int MaxSteps = 100;

    /// <summary>Values at rank k and k + 1 closer than this, relative to the larger s, are a tie.</summary>
    const double TieWidth = 1e-12;

    /// <summary>Values that are sorted one by one, as they are asked for; most rows need a few.</summary>
    const int FewSorted = 12;

    /// <summary>A response looks as deep as its guess of the largest s, and somewhat more.</summary>
    const double Slack = 1.25;

    readonly double _strength = gamma + sigma;
    double[] _values = [];
    int[] _columns = [];
    int _sorted;

    /// <summary>Entries with mass, 0 … Count − 1: the head, then the tail.</summary>
    public int Count { get; private set; }

    /// <summary>Entries of the head.</summary>
    public int Head { get; private set; }

    /// <summary>f, what makes the masses sum to a.</summary>
    public double F { get; private set; }

    /// <summary>f plus the largest value: s of the largest entry.</summary>
    public double Top { get; private set; }

    /// <summary>L; 0 where there is no tail.</summary>
    public double Level { get; private set; }

    /// <summary>How far below the largest value the last response had to look.</summary>
    public double Depth { get; private set; }

    /// <summary>Whether σ is 0 and the k-th and the next value tie, so that the response is one of many.</summary>
    public bool IsTied { get; private set; }

    /// <summary><c>φ(p) − ⟨s, p⟩</c>: what the row adds to the semi-dual beside a f.</summary>
    public double Value { get; private set; }

    /// <summary>Columns of the entries, by falling mass where the limit k binds, else increasing.</summary>
    public ReadOnlySpan<int> Columns => _columns.AsSpan(0, Count);

    /// <summary>Masses of the entries.</summary>
    public ReadOnlySpan<double> Masses => _values.AsSpan(0, Count);

    /// <summary>Finds the response.</summary>
    /// <param name="values">v; −∞ where nothing can go.</param>
    /// <param name="mass">a, positive.</param>
    /// <param name="guess">A guess of <see cref="Top"/>; <c>+∞</c> for none. It changes no bit.</param>
    /// <param name="floor">Values up to this may be missing; <c>−∞</c> where all are given.</param>
    /// <returns>False where no value is finite, or where a missing one may matter.</returns>
    public bool Solve(ReadOnlySpan<double> values, double mass, double guess, double floor)
    {
        if (_values.Length < values.Length)
            (_values, _columns) = (new double[values.Length], new int[values.Length]);
        double largest = TensorPrimitives.Max(values);
        if (!double.IsFinite(largest))
            return false;
        // One entry with all the mass would have this s: no larger one is possible.
        double bound = _strength * mass;
        Depth = Math.Min(bound, Slack * guess);
        if (!(largest - Depth > floor))
            return false;
        Collect(values, largest, Depth);
        if (!Respond(mass) || (Top > Depth && Depth < bound))
        {
            // What was left out may be positive after all.
            Depth = bound;
            if (!(largest - Depth > floor))
                return false;
            Collect(values, largest, Depth);
            Respond(mass);
        }
        F = Top - largest;
        return true;
    }

    /// <summary>Keeps the entries that are positive where the largest s is as given, as values less the largest.</summary>
    void Collect(ReadOnlySpan<double> values, double largest, double top)
    {
        double cut = largest - top;
        int count = 0;
        int width = System.Numerics.Vector<double>.Count;
        int j = 0;
        var cuts = new System.Numerics.Vector<double>(cut);
        for (; j <= values.Length - width; j += width)
        {
            // Or equal: next to prices so large that the top is lost in their rounding the cut is the largest value.
            if (!System.Numerics.Vector.GreaterThanOrEqualAny(new System.Numerics.Vector<double>(values[j..]), cuts))
                continue;
            for (int k = j; k < j + width; k++)
                Keep(values[k], k);
        }
        for (; j < values.Length; j++)
            Keep(values[j], j);
        Count = count;

        void Keep(double value, int column)
        {
            if (value > cut || value == largest)
            {
                _values[count] = value - largest;
                _columns[count++] = column;
            }
        }
    }

    bool Respond(double mass)
    {
        (IsTied, Level) = (false, 0);
        if (Count == 0)
            return false;
        double top = Threshold(mass, out int positive);
        if (positive > most)
        {
            _sorted = 0;
            if (sigma == 0)
                Cut(mass);
            else
                Smooth(mass, top);
            return true;
        }
        Top = top;
        int kept = 0;
        double product = 0;
        for (int k = 0; k < Count; k++)
        {
            double s = top + _values[k];
            if (!(s > 0))
                continue;
            double p = s / _strength;
            product += s * p; // squares of costs may leave the range of doubles
            _values[kept] = p;
            _columns[kept++] = _columns[k];
        }
        Head = Count = kept;
        Value = -0.5 * product;
        return true;
    }

    /// <summary>The largest s without a limit on entries: <c>Σ [top + u] = (γ + σ) a</c>, by Michelot's rule, which falls to it.</summary>
    double Threshold(double mass, out int positive)
    {
        double total = _strength * mass,
            top = double.PositiveInfinity;
        positive = -1;
        while (true)
        {
            (double sum, int count) = Above(top);
            // Entries only leave; one that comes back does so by rounding, and is worth nothing.
            if (positive >= 0 && count >= positive)
                break;
            (positive, top) = (count, (total - sum) / count);
        }
        // Added one by one: what a guess left out, or did not, is in no sum.
        double inOrder = 0;
        int last = 0;
        for (int k = 0; k < Count; k++)
        {
            if (top + _values[k] > 0)
            {
                inOrder += _values[k];
                last++;
            }
        }
        return (total - inOrder) / last;
    }

    /// <summary>Sum and number of the values that are positive with the top added.</summary>
    (double Sum, int Count) Above(double top)
    {
        Vector256<double> tops = Vector256.Create(top),
            sums = default;
        Vector256<long> counts = default;
        int k = 0;
        for (; k <= Count - Vector256<double>.Count; k += Vector256<double>.Count)
        {
            Vector256<double> values = Vector256.Create(_values.AsSpan(k)),
                positive = Vector256.GreaterThan(tops + values, Vector256<double>.Zero);
            sums += values & positive;
            counts -= positive.AsInt64(); // all ones is −1
        }
        double sum = Vector256.Sum(sums);
        var count = (int)Vector256.Sum(counts);
        for (; k < Count; k++)
        {
            if (top + _values[k] > 0)
            {
                sum += _values[k];
                count++;
            }
        }
        return (sum, count);
    }

    /// <summary>Puts so many entries first, by falling value, equal ones by column.</summary>
    void SortTo(int end)
    {
        if (end <= _sorted)
            return;
        if (Math.Min(end, Count) > FewSorted)
        {
            SortRest();
            return;
        }
        for (; _sorted < Math.Min(end, Count); _sorted++)
        {
            int first = _sorted;
            for (int k = _sorted + 1; k < Count; k++)
            {
                if (_values[k] > _values[first] || (_values[k] == _values[first] && _columns[k] < _columns[first]))
                    first = k;
            }
            (_values[first], _values[_sorted]) = (_values[_sorted], _values[first]);
            (_columns[first], _columns[_sorted]) = (_columns[_sorted], _columns[first]);
        }
    }

    void SortRest()
    {
        Span<double> keys = _values.AsSpan(_sorted, Count - _sorted);
        Span<int> columns = _columns.AsSpan(_sorted, Count - _sorted);
        TensorPrimitives.Negate(keys, keys);
        keys.Sort(columns);
        TensorPrimitives.Negate(keys, keys);
        for (int start = 0; start < keys.Length; )
        {
            int end = start + 1;
            while (end < keys.Length && keys[end] == keys[start])
                end++;
            columns[start..end].Sort();
            start = end;
        }
        _sorted = Count;
    }

    /// <summary>σ = 0: the k largest, whatever comes next.</summary>
    void Cut(double mass)
    {
        SortTo(most + 1);
        double sum = 0;
        for (int k = 0; k < most; k++)
            sum += _values[k];
        Top = ((gamma * mass) - sum) / most;
        double next = Top + _values[most];
        IsTied = next > 0 && _values[most - 1] - _values[most] <= TieWidth * Top;
        double product = 0;
        for (int k = 0; k < most; k++)
        {
            double s = Top + _values[k];
            _values[k] = s / gamma;
            product += s * _values[k];
        }
        Level = 0;
        Head = Count = most;
        Value = -0.5 * product;
    }

    /// <summary>σ positive: the top at which head and tail hold the mass, between the one without a limit and that of a single entry.</summary>
    void Smooth(double mass, double low)
    {
        double high = _strength * mass,
            top = low;
        (int Head, int End, double Level) split = default;
        for (int step = 0; step < MaxSteps; step++)
        {
            split = SplitAt(top);
            (double held, double slope) = Held(top, split);
            if (held < mass)
                low = top;
            else
                high = top;
            // Mass is piecewise linear in the top, so that Newton's step is exact once the pieces are right.
            double next = top + ((mass - held) / slope);
            if (!(next > low && next < high))
            {
                if (Math.Abs(next - top) <= 4 * double.Epsilon + (2.3e-16 * Math.Abs(top)))
                    break;
                next = low + (0.5 * (high - low));
            }
            if (next == top || high - low <= 2.3e-16 * high)
                break;
            top = next;
        }
        Take(top, split);
    }

    /// <summary>Head, end of the tail and level at a top: <c>Σ clamp((s/L − γ)/σ, 0, 1) = k</c>, piecewise linear in 1/L.</summary>
    (int Head, int End, double Level) SplitAt(double top)
    {
        int head = 0,
            end = 0;
        double sum = 0; // of s over the tail
        while (true)
        {
            SortTo(end + 1);
            // 1/L where the count is k with this head and tail, or where the next entry changes its part.
            double full = end > head ? ((sigma * (most - head)) + (gamma * (end - head))) / sum : double.PositiveInfinity;
            double enters = end < Count && top + _values[end] > 0 ? gamma / (top + _values[end]) : double.PositiveInfinity;
            double saturates = end > head ? _strength / (top + _values[head]) : double.PositiveInfinity;
            if (full <= Math.Min(enters, saturates))
                return (head, end, 1 / full);
            if (enters <= saturates)
            {
                if (double.IsPositiveInfinity(enters))
                    return (head, end, 0);
                sum += top + _values[end++];
            }
            else
            {
                sum -= top + _values[head++];
            }
            if (head == most)
                return (head, head, 1 / saturates);
        }
    }

    /// <summary>Mass of head and tail, and its derivative in the top.</summary>
    (double Mass, double Slope) Held(double top, (int Head, int End, double Level) split)
    {
        double held = 0;
        for (int k = 0; k < split.Head; k++)
            held += (top + _values[k]) / _strength;
        int tail = split.End - split.Head,
            room = most - split.Head;
        held += room * split.Level;
        double slope = (split.Head / _strength) + (tail == 0 ? 0 : room * tail / ((sigma * room) + (gamma * tail)));
        return (held, slope);
    }

    void Take(double top, (int Head, int End, double Level) split)
    {
        (Top, Head, Level) = (top, split.Head, 0);
        double value = 0,
            tail = 0;
        // Summed anew: the split's running sum has lost what was taken off it.
        for (int k = split.Head; k < split.End; k++)
            Level += top + _values[k];
        if (split.End > split.Head)
            Level /= (sigma * (most - split.Head)) + (gamma * (split.End - split.Head));
        int kept = split.Head;
        for (int k = 0; k < split.Head; k++)
        {
            double s = top + _values[k];
            _values[k] = s / _strength;
            value -= 0.5 * s * _values[k];
        }
        for (int k = split.Head; k < split.End; k++)
        {
            double s = top + _values[k],
                p = (s - (gamma * Level)) / sigma;
            if (!(p > 0))
                continue;
            tail += p;
            value += (0.5 * sigma * p * p) - (s * p);
            _values[kept] = p;
            _columns[kept++] = _columns[k];
        }
        if (kept > split.Head)
            value += 0.5 * gamma * tail * tail / (most - split.Head);
        Count = kept;
        Value = value;
    }
}
