using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>W_p on the circle of length 1, for sorted sides of equal mass with positions in [0, 1).</summary>
internal static class Circle
{
    /// <summary><c>W_1 = ∫ |F − G − t| dx</c> with t the weighted median of F − G.</summary>
    public static double FirstPower(Side source, Side target)
    {
        int n = source.Count,
            m = target.Count;
        double[] a = source.WrittenWeights(),
            b = target.WrittenWeights();
        // Between neighbouring points of both sides F − G is constant; the last piece goes over 1 to the first point.
        var levels = new double[n + m];
        var lengths = new double[n + m];
        Compensated level = default;
        double first = Math.Min(source.Positions[0], target.Positions[0]);
        for (int i = 0, j = 0, k = 0; k < n + m; k++)
        {
            bool fromSource = j == m || (i < n && source.Positions[i] <= target.Positions[j]);
            double at = fromSource ? source.Positions[i] : target.Positions[j];
            level.Add(fromSource ? a[i++] : -b[j++]);
            double next = Math.Min(i < n ? source.Positions[i] : 1 + first, j < m ? target.Positions[j] : 1 + first);
            (levels[k], lengths[k]) = (level.Value, next - at);
        }
        var order = new int[n + m];
        RadixSort.Order(levels, order);
        int rank = 0;
        for (double below = lengths[order[0]]; below < 0.5 && rank < order.Length - 1; below += lengths[order[rank]])
            rank++;
        double median = levels[order[rank]];
        Compensated sum = default;
        for (int k = 0; k < levels.Length; k++)
            sum.Add(lengths[k] * Math.Abs(levels[k] - median));
        return sum.Value;
    }

    /// <summary><c>(min_θ ∫ |F⁻¹(q) − G⁻¹(q − θ)|^p dq)^(1/p)</c>, quantiles continued by <c>G⁻¹(q + mass) = G⁻¹(q) + 1</c>.</summary>
    /// <remarks>
    /// Powers are taken in units of the longest way at a shift found before: at p = 2 first, and again as long as the value vanishes in that unit.
    /// </remarks>
    public static double Power(Side source, Side target, double p)
    {
        const double vanished = 1e-250;
        double unit = 1;
        (double best, double shift) = Minimise(new Turn(source, target, Math.Min(p, 2), unit));
        if (p <= 2)
            return Math.Pow(Math.Max(best, 0), 1 / p);
        const int rounds = 60; // each shortens the unit, or is the last
        for (int round = 0; round < rounds; round++)
        {
            double longest = new Turn(source, target, p, 1).Longest(shift);
            if (longest == 0 || longest >= unit * (1 - 1e-9) && best < vanished)
                return unit * Math.Pow(Math.Max(best, 0), 1 / p);
            unit = longest;
            (best, shift) = Minimise(new Turn(source, target, p, unit));
            if (best >= vanished)
                return unit * Math.Pow(best, 1 / p);
        }
        return unit;
    }

    static (double Value, double Shift) Minimise(Turn turn)
    {
        double mass = turn.Mass;
        // Convex and piecewise linear: tangents from both sides meet below the minimum, and at it once they belong to neighbouring pieces.
        double low = -mass,
            high = mass;
        (double atLow, double slopeLow) = turn.Evaluate(low, right: true);
        while (slopeLow > 0)
        {
            low -= mass;
            (atLow, slopeLow) = turn.Evaluate(low, right: true);
        }
        (double atHigh, double slopeHigh) = turn.Evaluate(high, right: false);
        while (slopeHigh < 0)
        {
            high += mass;
            (atHigh, slopeHigh) = turn.Evaluate(high, right: false);
        }
        (double best, double shift) = atLow <= atHigh ? (atLow, low) : (atHigh, high);
        // Halving every second time bounds the number of steps by the bits of a double.
        for (int step = 0; step < 200 && slopeLow < 0 && slopeHigh > 0; step++)
        {
            double meet = (atHigh - atLow + (slopeLow * low) - (slopeHigh * high)) / (slopeLow - slopeHigh);
            // Far from the minimum values are so large that the rounding of this bound is, too.
            double size = Math.Abs(atLow) + Math.Abs(atHigh) + Math.Abs(slopeLow * low) + Math.Abs(slopeHigh * high);
            double bound = atLow + (slopeLow * (meet - low)) - (1e-15 * size);
            double middle = step % 2 == 0 && meet > low && meet < high ? meet : low + ((high - low) / 2);
            if (bound >= best * (1 - 1e-14) || middle <= low || middle >= high)
                break;
            (double value, double slope) = turn.Evaluate(middle, right: true);
            if (value < best)
                (best, shift) = (value, middle);
            if (slope < 0)
                (low, atLow, slopeLow) = (middle, value, slope);
            else
                (high, atHigh, slopeHigh) = (middle, value, turn.Evaluate(middle, right: false).Slope);
            // A kink: its left slope is negative and its right slope is not.
            if (slopeHigh <= 0)
                break;
        }
        return (best, shift);
    }

    /// <summary>The objective and its one-sided slopes as a function of the shift θ.</summary>
    sealed class Turn
    {
        readonly double[] _x;
        readonly double[] _y;
        readonly double[] _levelX;
        readonly double[] _levelY;
        readonly double _mass;
        readonly double _p;
        readonly double _unit;

        public Turn(Side source, Side target, double p, double unit)
        {
            (_x, _levelX) = Levels(source);
            (_y, _levelY) = Levels(target);
            (_mass, _p, _unit) = (source.Mass, p, unit);
        }

        public double Mass => _mass;

        /// <summary>Points with mass, and the cumulative weight at the end of each; the last is the mass exactly.</summary>
        static (double[] Positions, double[] Ends) Levels(Side side)
        {
            double[] weights = side.WrittenWeights();
            var positions = new List<double>();
            var ends = new List<double>();
            Compensated level = default;
            for (int i = 0; i < weights.Length; i++)
            {
                if (weights[i] == 0)
                    continue;
                level.Add(weights[i]);
                positions.Add(side.Positions[i]);
                ends.Add(Math.Min(level.Value, side.Mass));
            }
            ends[^1] = side.Mass;
            return ([.. positions], [.. ends]);
        }

        double Y(long j)
        {
            long turns = Math.DivRem(j, _y.Length, out long at);
            if (at < 0)
                (turns, at) = (turns - 1, at + _y.Length);
            return _y[at] + turns;
        }

        /// <summary>End of the j-th piece of the continued target, before the shift.</summary>
        double EndY(long j)
        {
            long turns = Math.DivRem(j, _y.Length, out long at);
            if (at < 0)
                (turns, at) = (turns - 1, at + _y.Length);
            return _levelY[at] + (turns * _mass);
        }

        /// <summary>The power of a way, continued beyond 1e150 by its tangent: still convex, never infinite, and far from any optimum.</summary>
        double Cost(double x, double y)
        {
            const double high = 1e150;
            double way = Math.Abs(x - y) / _unit;
            double power = Univariate.Power(way, _p);
            return power <= high ? power : high * (1 + (_p * ((way / Math.Pow(high, 1 / _p)) - 1)));
        }

        /// <summary>The longest way of any mass at a shift.</summary>
        public double Longest(double theta)
        {
            double longest = 0,
                q = 0;
            long j = First(theta);
            for (int i = 0; i < _x.Length; )
            {
                double end = EndY(j) + theta;
                double next = Math.Min(_levelX[i], end);
                if (next > q)
                    longest = Math.Max(longest, Math.Abs(_x[i] - Y(j)));
                q = next;
                if (_levelX[i] <= next)
                    i++;
                if (end <= next)
                    j++;
            }
            return longest;
        }

        public (double Value, double Slope) Evaluate(double theta, bool right)
        {
            long first = First(theta);
            return (Value(theta, first), Slope(theta, first, right));
        }

        /// <summary>The first piece of the shifted target that ends after level 0.</summary>
        long First(double theta)
        {
            long first = (long)Math.Floor(-theta / _mass) * _y.Length;
            while (EndY(first) + theta > 0)
                first--;
            while (EndY(first) + theta <= 0)
                first++;
            return first;
        }

        double Value(double theta, long first)
        {
            Compensated value = default;
            double q = 0;
            long j = first;
            for (int i = 0; i < _x.Length; )
            {
                double end = EndY(j) + theta;
                double next = Math.Min(_levelX[i], end);
                value.Add((next - q) * Cost(_x[i], Y(j)));
                q = next;
                if (_levelX[i] <= next)
                    i++;
                if (end <= next)
                    j++;
            }
            return value.Value;
        }

        /// <summary>As θ grows each border between target pieces moves up, and mass at its level changes from the upper piece to the lower.</summary>
        double Slope(double theta, long first, bool right)
        {
            Compensated slope = default;
            int i = 0;
            for (long j = first; j < first + _y.Length; j++)
            {
                double border = EndY(j) + theta;
                while (i < _x.Length && (_levelX[i] < border || (right && _levelX[i] == border)))
                    i++;
                double x = i < _x.Length ? _x[i] : _x[0] + 1;
                slope.Add(Cost(x, Y(j)));
                slope.Add(-Cost(x, Y(j + 1)));
            }
            return slope.Value;
        }
    }
}
